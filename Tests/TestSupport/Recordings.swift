import Foundation

/// Files with messages of an exchange: the repository's own, and those that lie beside the checkout on some
/// machines.
public enum Recordings {
  /// Combined messages, one a line.
  public static let combined = [own.appending(path: "combined.jsonl")] + beside("jsonl")
  /// One message of `!miniTicker@arr` each.
  public static let arrays = [own.appending(path: "mini-ticker-array.json")] + beside("json")

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
