import Glibc

/// The facts that a log's file and its `-wal` state of themselves, read without SQLite: whether the two belong
/// together.
package struct WALWitness: Equatable {
  /// Microseconds since 1970, UTC: when the log was made.
  package var createdAt: Int64?
  /// The last offset that it says is there.
  package var head: Int64?
  /// The file's length; `nil` if none was looked at.
  package var fileBytes: Int?

  /// Takes what a page says, if it is one of `meta`.
  package mutating func note(_ page: ArraySlice<UInt8>) throws(LogError) {
    guard page.first == LeafPage.index else { return }
    let leaf = LeafPage(Array(page), reserved: 0, pages: 0) { (_) throws(LogError) in nil }
    for row in try leaf.rows(columns: 2, isTable: false, everywhere: false) {
      guard let key = row.values[0].bytes, let value = row.values[1].int else { continue }
      if key == Self.createdAtKey { createdAt = value }
      if key == Self.headKey { head = max(head ?? value, value) }
    }
  }

  private static let createdAtKey = Array("created_at".utf8)
  private static let headKey = Array("head".utf8)

  /// `meta` is among the first pages of every log: its root is made with the file and never moved.
  package static let pages = 16

  /// The most that the file may lack where SQLite locks it.
  private static let lockingBytes = 65_536

  package static func ofFile(_ path: String) throws(LogError) -> WALWitness {
    var witness = WALWitness()
    guard let file = try RawFile(path) else { return witness }
    defer { file.close() }
    witness.fileBytes = try file.size()
    for number in 1..<pages {
      let page = try file.read(at: number * 4_096, count: 4_096)
      if page.count == 4_096 { try witness.note(page[...]) }
    }
    return witness
  }

  /// The fault of a `-wal`.
  package enum Objection: Equatable {
    /// SQLite would read a part of it, or nothing, although more was committed.
    case damaged(String)
    /// It is whole, and another log's, or this log's from another time.
    case foreign(String)

    package var text: String {
      switch self {
      case .damaged(let text), .foreign(let text): text
      }
    }
  }

  /// Why SQLite must not be given this `-wal` with this file; `nil` if nothing speaks against it.
  ///
  /// SQLite takes any `-wal` that is whole in itself for the file's own, and of one that is damaged what lies before
  /// the damage. Must not be called while this process has the file open.
  package static func objection(to path: String) throws(LogError) -> Objection? {
    guard let frames = try WALFrames.read(beside: path) else { return nil }
    return objection(to: path, frames, base: try ofFile(path))
  }

  package static func objection(to path: String, _ frames: WALFrames, base: WALWitness) -> Objection? {
    let head = base.head ?? 0
    if let created = base.createdAt, let other = frames.all.createdAt, created != other {
      return .foreign("\(path)-wal belongs to another log: put the right one beside \(path), or move it away")
    }
    let damage =
      "\(path)-wal is damaged at its \(frames.hasHeader ? "frame \(frames.firstDamaged ?? 0)" : "header"): "
      + "\(frames.unreachable) frames behind it, already committed, would be lost; "
      + LogError.salvageAdvice
    if !frames.hasHeader {
      return frames.commitsFromDamage > 0 && (frames.all.head ?? 0) > head ? .damaged(damage) : nil
    }
    // What a crash has left unfinished is one transaction at most, and was not confirmed.
    if frames.commitsFromDamage > 1 { return .damaged(damage) }
    // SQLite finds this out only when it copies the -wal into the file. What a transaction that a loss of power has
    // left unfinished says of the file's length counts for nothing.
    if let bytes = base.fileBytes, frames.commitsFromDamage == 0,
      bytes + lockingBytes + frames.frames.count * frames.pageSize < frames.pageCount * frames.pageSize
    {
      return .damaged(
        "\(path) is older than \(path)-wal, pages of the time between are missing: put a file and a -wal of the same "
          + "moment there; or " + LogError.salvageAdvice)
    }
    if let other = frames.reachable.head, other < head {
      return frames.commitsFromDamage > 0
        ? .damaged(damage)
        : .foreign(
          "\(path)-wal is older than \(path) (its last offset is \(other), not \(head)): move it away")
    }
    return nil
  }
}

extension LogError {
  package static let salvageAdvice = "`tickwal verify --salvage FILE` saves what can be read to a new log"
}
