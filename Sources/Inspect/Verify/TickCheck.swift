import Base
import WAL

/// Walks over the ticks a stretch at a time and checks each: that it is there, with a checksum that fits.
struct TickCheck {
  /// Offsets in one snapshot.
  static let stretch = 20_000

  private let range: OffsetRange
  private(set) var next: Offset
  private var tally: TickTally

  /// - Parameter known: what a salvage has written down as lost, in order.
  init(_ range: OffsetRange, known: [OffsetRange]) {
    self.range = range
    next = range.lowerBound
    tally = TickTally(known: known)
  }

  /// Leaves out what was trimmed meanwhile.
  mutating func pass(through offset: Offset) { next = max(next, offset.next) }

  var isDone: Bool { next > range.upperBound }
  var good: Int { tally.good }
  var bad: Int { tally.bad }
  var lost: Int { tally.lost }

  /// Checks the next stretch on one snapshot.
  ///
  /// - Parameter visit: is given each good row.
  mutating func step(
    _ connection: SQLiteConnection, _ problems: inout LogProblems,
    good visit: (TickRow) throws(SQLiteError) -> Void = { (_) throws(SQLiteError) in },
    bad visitBad: (TickRow) throws(SQLiteError) -> Void = { (_) throws(SQLiteError) in }
  ) throws(SQLiteError) {
    let end = min(range.upperBound, next.advanced(by: Self.stretch - 1))
    var isOrdered = false
    do throws(SQLiteError) {
      isOrdered = try scan(connection, through: end, &problems, visit, visitBad)
    } catch {
      guard error.isCorruption else { throw error }
    }
    if !isOrdered { try probe(connection, through: end, &problems, visit, visitBad) }
    if isDone { tally.finish(&problems) }
  }

  /// - Returns: whether every offset was there, in order. If not, damage may have misled the walk.
  private mutating func scan(
    _ connection: SQLiteConnection, through end: Offset, _ problems: inout LogProblems,
    _ visit: (TickRow) throws(SQLiteError) -> Void, _ visitBad: (TickRow) throws(SQLiteError) -> Void
  ) throws(SQLiteError) -> Bool {
    let statement = try connection.ticks(from: next, through: end)
    defer { statement.reset() }
    while next <= end, try statement.step() {
      guard statement.int(0) == next.rawValue else { return false }
      try add(statement, &problems, visit, visitBad)
    }
    return next > end
  }

  private mutating func probe(
    _ connection: SQLiteConnection, through end: Offset, _ problems: inout LogProblems,
    _ visit: (TickRow) throws(SQLiteError) -> Void, _ visitBad: (TickRow) throws(SQLiteError) -> Void
  ) throws(SQLiteError) {
    let statement = try connection.tickAtOffset()
    while next <= end {
      do throws(SQLiteError) {
        try statement.bind(1, next.rawValue)
        defer { statement.reset() }
        if try statement.step() {
          try add(statement, &problems, visit, visitBad)
        } else {
          tally.addMissing(next...next, &problems)
          next = next.next
        }
      } catch {
        guard error.isCorruption else { throw error }
        tally.addBad(next...next, "the page of the file is damaged: \(error.message)", &problems)
        next = next.next
      }
    }
  }

  private mutating func add(
    _ statement: SQLiteStatement, _ problems: inout LogProblems,
    _ visit: (TickRow) throws(SQLiteError) -> Void, _ visitBad: (TickRow) throws(SQLiteError) -> Void
  ) throws(SQLiteError) {
    let row = TickRow(statement, at: next)
    if row.isGood {
      try visit(row)
      tally.addGood(&problems)
      if !row.hasRightTypes {
        problems.add(
          .ticks, "offset \(Figures.grouped(next)): whole, but stored under a wrong type", next...next)
      }
    } else {
      try visitBad(row)
      tally.addBad(next...next, "the row's checksum is wrong", &problems)
    }
    next = next.next
  }
}
