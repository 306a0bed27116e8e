import Base

/// The note of how far a log was when it was committed to last, kept in its `.lock`, outside of SQLite's files:
/// those that lie there at a start may be others, or not all.
///
/// It is written after a commit is durable and never synced, so that it can only be behind the log that it is of.
package struct HeadHint: Equatable, Sendable {
  package var logID: LogID
  package var head: Offset
  /// The time at which the log's file was changed last, in nanoseconds since 1970: a file that was put in its
  /// place was changed at another time.
  package var fileChangedAt: Int64
  /// Whether the log was closed in order: then its file has everything, and there is no `-wal`.
  package var isClosed = false

  /// The head stands there twice: of a line that was not written whole, nothing is believed.
  package var line: String {
    "\(logID.rawValue) \(head) \(head) \(isClosed ? Self.closed : Self.open) \(fileChangedAt)\n"
  }

  private static let open = "open"
  private static let closed = "closed"

  package init(logID: LogID, head: Offset, fileChangedAt: Int64, isClosed: Bool = false) {
    self.logID = logID
    self.head = head
    self.fileChangedAt = fileChangedAt
    self.isClosed = isClosed
  }

  package init?(line: some StringProtocol) {
    let words = line.split(separator: " ")
    guard words.count == 5, words[1] == words[2], let head = Int64(words[1]), head >= 0, words[0].count == 16,
      words[3] == Self.open || words[3] == Self.closed, let fileChangedAt = Int64(words[4])
    else { return nil }
    self.init(
      logID: LogID(rawValue: String(words[0])), head: Offset(rawValue: head), fileChangedAt: fileChangedAt,
      isClosed: words[3] == Self.closed)
  }

  package enum Objection: Equatable {
    /// Commits are gone with the `-wal` of a process that was killed.
    case missingWAL
    /// The files are those of an earlier moment.
    case olderCopy
  }

  /// The fault of a log that ends at `found`; `nil` if there is none, or if the note is of another log.
  package func objection(to found: HeadHint, hasWAL: Bool) -> Objection? {
    guard found.logID == logID, found.head < head else { return nil }
    return isClosed || hasWAL || found.fileChangedAt != fileChangedAt ? .olderCopy : .missingWAL
  }

  package func missingWAL(of path: String, endingAt end: Offset) -> String {
    "\(path) ends at offset \(Figures.grouped(end)), but \(Figures.grouped(head)) was committed: its \(path)-wal is missing; put it back, or, if it is "
      + "lost, remove \(path).lock and run `tickwal adopt`, so that no offset gets two meanings"
  }
}
