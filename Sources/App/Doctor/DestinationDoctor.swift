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

  enum Place: Sendable {
    case aws
    case folder(String)
  }

  /// The place to look at, with the finding about a folder.
  ///
  ///
  /// - Returns: `nil` where there is nothing to look at.
  func place(_ findings: DoctorFindings) throws -> Place? {
    guard let local else { return .aws }
    guard access(local, F_OK) == 0 else {
      findings.add([absent(local)])
      return nil
    }
    do {
      let folder = try LocalPlace.absolute(local)
      findings.add([.ok("local", "\(folder) is a writable folder")])
      return .folder(folder)
    } catch let error as BadSettings {
      findings.add([.failed("local", error.lines.joined(separator: " "))])
      return nil
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

  func look(
    _ settings: any DestinationSettings, at place: Place
  ) async throws -> [DoctorFinding] {
    let check = type(of: settings).check
    guard settings.isEnabled else { return [.skipped(check, "\(type(of: settings).name) is not enabled")] }
    do {
      let destination =
        switch place {
        case .folder(let folder): try settings.destination(inFolder: folder, clock: .system)
        case .aws: try await settings.destination(aws ?? NoKeys())
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
