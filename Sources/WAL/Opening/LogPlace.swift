/// The files of an open log and their names: whether each still has its own.
///
/// SQLite goes on with the files that it has open, whatever becomes of their names. What it writes then is found by
/// nobody after the end of the process.
struct LogPlace: Sendable {
  /// A name beside the log, and the file that had it when the log was opened.
  private struct Entry: Sendable {
    let suffix: String
    let opened: NamedFile
  }

  private let path: String
  private let entries: [Entry]

  /// Takes the files that have the names now; to be called under the lock, right after SQLite has opened them.
  init(path: String) {
    self.path = path
    entries = ["", Self.wal, Self.shm].map { Entry(suffix: $0, opened: NamedFile(path + $0)) }
  }

  /// The names that their files have lost since; `nil` if there are none.
  ///
  /// Looks at names alone: opening and closing the log's file would give up SQLite's locks on it.
  func loss() -> LogLoss? {
    var lost: [LogLoss.Name] = []
    for entry in entries {
      guard case .file = entry.opened else { continue }
      let found = NamedFile(path + entry.suffix)
      guard found != entry.opened, found != .unknown else { continue }
      lost.append(LogLoss.Name(suffix: entry.suffix, isTaken: found != .none))
    }
    return lost.isEmpty ? nil : LogLoss(path: path, names: lost)
  }

  /// The names beside the log's own that have a file which is not this log's.
  func foreignSides() -> [String] {
    entries.filter { !$0.suffix.isEmpty }.compactMap { entry in
      let found = NamedFile(path + entry.suffix)
      return found == .none || found == entry.opened ? nil : path + entry.suffix
    }
  }

  static let wal = "-wal"
  static let shm = "-shm"
  static let sides = [wal, shm]
}

/// The names that the files of an open log have lost.
package struct LogLoss: Equatable, Sendable, CustomStringConvertible {
  struct Name: Equatable, Sendable {
    /// Of the log's path; empty for its file.
    let suffix: String
    /// Whether another file has it now.
    let isTaken: Bool
  }

  let path: String
  let names: [Name]

  /// Whether the log's file is where it was, so that what it lacks can be copied into it.
  var keepsFile: Bool { !names.contains { $0.suffix.isEmpty } }

  /// The facts, for a message.
  package var description: String {
    let gone = names.filter { !$0.isTaken }.map { path + $0.suffix }
    let taken = names.filter(\.isTaken).map { path + $0.suffix }
    let parts = [
      gone.isEmpty ? nil : "\(gone.joined(separator: ", ")) \(gone.count == 1 ? "is" : "are") gone",
      taken.isEmpty ? nil : "another file lies at \(taken.joined(separator: ", "))",
    ]
    return parts.compactMap { $0 }.joined(separator: ", ")
  }
}
