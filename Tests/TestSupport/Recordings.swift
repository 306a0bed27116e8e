import Foundation

/// Files that were kept: messages of an exchange, the repository's own and those that lie beside the checkout on
/// some machines, and logs of earlier versions.
public enum Recordings {
  /// Combined messages, one a line.
  public static let combined = [own.appending(path: "combined.jsonl")] + beside("jsonl")
  /// One message of `!miniTicker@arr` each.
  public static let arrays = [own.appending(path: "mini-ticker-array.json")] + beside("json")

  /// Logs as a version of tickwal with another schema left them.
  public enum OldLog: String, CaseIterable, Sendable {
    /// With gaps of each cause that there was, ended and open, and rows that were deleted at the end of its tables.
    case closed = "version-1"
    /// Its process was killed: what it wrote last lies in the `-wal`.
    case killed = "version-1-killed"

    /// The files, by what stands behind the log's path in their names.
    public func files() throws -> [String: Data] {
      var files: [String: Data] = [:]
      for suffix in ["", "-wal"] {
        let file = own.appending(path: "logs/\(rawValue).log\(suffix)")
        guard FileManager.default.fileExists(atPath: file.path) else { continue }
        files[suffix] = try Data(contentsOf: file)
      }
      return files
    }

    /// Copies the files to another place.
    public func copy(to path: String) throws {
      for (suffix, bytes) in try files() { try bytes.write(to: URL(filePath: path + suffix)) }
    }
  }

  private static let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  private static let own = tests.appending(path: "Recordings")

  private static func beside(_ suffix: String) -> [URL] {
    let folder = tests.appending(path: "../../shared/data").standardized
    guard FileManager.default.fileExists(atPath: folder.path) else { return [] }
    do {
      return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        .filter { $0.lastPathComponent.hasPrefix("binance-") && $0.pathExtension == suffix }
        .sorted { $0.path < $1.path }
    } catch {
      fatalError("\(folder.path) cannot be read: \(error)")
    }
  }
}
