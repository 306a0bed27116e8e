import AWS
import Base
import Glibc
import Shippers

/// The checks of the places that the enabled consumers deliver to.
struct DestinationDoctor: Sendable {
  let settings: [any DestinationSettings]
  /// The folder of `--local`.
  let local: String?
  /// The way to AWS; `nil` where there are no keys: what needs them is left out.
  let aws: (any AWSAccess)?
  /// Whether a small object may be written.
  let writes: Bool

  func findings() async throws -> [DoctorFinding] {
    guard let local else { return try await looks(inFolder: nil) }
    guard access(local, F_OK) == 0 else { return [absent(local)] }
    do {
      let folder = try LocalPlace.absolute(local)
      return [.ok("local", "\(folder) is a writable folder")] + (try await looks(inFolder: folder))
    } catch let error as BadSettings {
      return [.failed("local", error.lines.joined(separator: " "))]
    }
  }

  private func absent(_ folder: String) -> DoctorFinding {
    let named = folder.last == "/" ? String(folder.dropLast()) : folder
    let parent = Folder.parent(of: named)
    guard let reason = FileProblem.folder(parent) else {
      return .ok("local", "\(folder) is not there yet; run makes it")
    }
    return .failed("local", "\(folder) cannot be made: \(reason)", "make \(parent), or correct --local")
  }

  private func looks(inFolder folder: String?) async throws -> [DoctorFinding] {
    var found: [DoctorFinding] = []
    for settings in settings { found += try await look(settings, inFolder: folder) }
    return found
  }

  private func look(
    _ settings: any DestinationSettings, inFolder folder: String?
  ) async throws -> [DoctorFinding] {
    let check = type(of: settings).check
    guard settings.isEnabled else { return [.skipped(check, "\(type(of: settings).name) is not enabled")] }
    do {
      let destination =
        if let folder {
          try settings.destination(inFolder: folder, clock: .system)
        } else {
          try await settings.destination(aws ?? NoKeys())
        }
      return try await destination.look(writes: writes)
    } catch is NoKeys {
      return [.skipped(check, "there are no keys to look with")]
    } catch let error as CancellationError {
      throw error
    } catch {
      return [.failed(check, "\(error)")]
    }
  }

  private struct NoKeys: AWSAccess, Error {
    func client() throws -> AWSClient { throw self }
    func client(s3Endpoint: String) -> AWSClient? { nil }
  }
}
