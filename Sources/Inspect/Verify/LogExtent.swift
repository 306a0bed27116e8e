import Base
import WAL

/// The ticks that must be in a log.
struct LogExtent {
  /// `nil` if it cannot be read.
  private(set) var head: Offset?
  /// The range that is not trimmed, `nil` if everything is.
  private(set) var kept: OffsetRange?
  /// The ranges that must be there: what open batches hold of the trimmed ticks, and what is kept. In order.
  private(set) var ranges: [OffsetRange] = []
  /// The ranges that a salvage has written down as lost, in order.
  private(set) var lost: [OffsetRange] = []

  /// Reads the extent, and says what contradicts itself in it.
  ///
  /// - Parameter fileBytes: a head beyond what the file can hold is not believed, nor followed.
  init(_ connection: SQLiteConnection, fileBytes: Int, _ problems: inout LogProblems) throws(SQLiteError) {
    var trimmed = Offset.zero
    do throws(SQLiteError) {
      head = try connection.meta(.head)
      if head == nil { problems.add(.meta, "there is no head") }
      trimmed = try connection.trimmed()
      lost = try connection.skipped(by: .salvage)
      if trimmed < .zero {
        problems.add(.meta, "everything up to \(trimmed) is trimmed, which is no offset")
        trimmed = .zero
      }
      if let head, trimmed > head {
        problems.add(
          .meta, "everything up to \(trimmed) is trimmed, but the head is \(Figures.grouped(head))")
        trimmed = .zero
      }
      ranges = try Self.held(connection, through: trimmed)
    } catch {
      guard error.isCorruption || error.isGeneric else { throw error }
      problems.add(.meta, "the log's extent cannot be read: \(error.message)")
    }
    var first: Offset?
    var last: Offset?
    do throws(SQLiteError) {
      first = try connection.firstTick()
      last = try connection.lastTick()
    } catch {
      guard error.isCorruption || error.isGeneric else { throw error }
      problems.add(.ticks, "the ends of the ticks cannot be read: \(error.message)")
    }
    if let first, first < .first { problems.add(.ticks, "there is an offset below 1: \(first)") }
    if let head, let last, last > head {
      problems.add(
        .ticks, "offset \(Figures.grouped(last)) is there, but the head is \(Figures.grouped(head))",
        head.next...last)
    }
    // An offset that no file of this size can reach stands alone, and nothing before it is looked for.
    let most = fileBytes / TickRow.leastBytes
    if let far = last, far > max(head ?? .zero, trimmed).advanced(by: most) {
      if head == nil {
        problems.add(
          .ticks, "offset \(Figures.grouped(far)) is there, beyond what the file can hold", far...far)
      }
      last = nil
    }
    var end = max(last ?? .zero, head ?? .zero)
    let known = max(last ?? .zero, trimmed, lost.last { $0.upperBound <= head ?? .zero }?.upperBound ?? .zero)
    if end > known.advanced(by: most) {
      problems.add(
        .meta,
        "the head \(Figures.grouped(end)) is beyond what a file of \(Figures.bytes(fileBytes)) can hold after offset \(Figures.grouped(known))"
      )
      end = known
    }
    if trimmed < end { kept = trimmed.next...end }
    if let kept { ranges.append(kept) }
  }

  static func isTrimmed(_ offset: Offset, _ connection: SQLiteConnection) throws(SQLiteError) -> Bool {
    guard try offset <= connection.trimmed() else { return false }
    do throws(SQLiteError) {
      return try connection.int(
        "SELECT 1 FROM batches WHERE state = 'planned' AND first_offset <= ?1 AND last_offset >= ?1 LIMIT 1",
        .int(offset.rawValue)) == nil
    } catch {
      guard error.isCorruption else { throw error }
      return true
    }
  }

  private static func held(
    _ connection: SQLiteConnection, through trimmed: Offset
  ) throws(SQLiteError) -> [OffsetRange] {
    let rows = try connection.fetchAll(
      """
      SELECT first_offset, last_offset FROM batches WHERE state = 'planned' AND first_offset BETWEEN 1 AND ?
        AND last_offset >= first_offset ORDER BY first_offset
      """, .int(trimmed.rawValue)
    ) { (first: Offset(rawValue: $0.int(0)), last: Offset(rawValue: $0.int(1))) }
    var ranges: [OffsetRange] = []
    for row in rows {
      let first = max(row.first, ranges.last?.upperBound.next ?? .first)
      let last = min(row.last, trimmed)
      if first <= last { ranges.append(first...last) }
    }
    return ranges
  }
}
