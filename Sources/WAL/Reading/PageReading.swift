/// Reads one page and checks it: every offset must be there, with a checksum that fits.
struct PageReading {
  /// The offset that must come next.
  private var expected: Offset
  private let end: Offset
  private let maximumBytes: Int
  /// Of good and bad rows.
  private var bytes = 0

  init(expected: Offset, end: Offset, maximumBytes: Int) {
    self.expected = expected
    self.end = end
    self.maximumBytes = maximumBytes
  }

  /// The straight way: one walk over the table, up to the first offset that is not where it belongs.
  ///
  /// - Returns: whether the page is done. If not, damage may have misled the walk, and `probe` must go on.
  mutating func scan(_ connection: SQLiteConnection, into page: inout TickPage) throws(SQLiteError) -> Bool {
    let statement = try connection.ticks(from: expected, through: end)
    defer { statement.reset() }
    while !isDone, try statement.step() {
      guard statement.int(0) == expected.rawValue else { return false }
      add(statement, to: &page)
    }
    return isDone
  }

  /// Offset by offset, so that damage costs the rows on it and no others.
  mutating func probe(_ connection: SQLiteConnection, into page: inout TickPage) throws(SQLiteError) {
    let statement = try connection.tickAtOffset()
    while !isDone {
      do throws(SQLiteError) {
        try statement.bind(1, expected.rawValue)
        defer { statement.reset() }
        if try statement.step() { add(statement, to: &page) } else { addMissing(to: &page) }
      } catch {
        guard error.isCorruption else { throw error }
        addBad("the page of the file is damaged: \(error.message)", payload: [], to: &page)
      }
    }
  }

  private var isDone: Bool { expected > end || bytes >= maximumBytes }

  private mutating func add(_ statement: SQLiteStatement, to page: inout TickPage) {
    let row = TickRow(statement, at: expected)
    bytes += row.stream.count + row.payload.count
    guard row.isGood else {
      return addBad("the row's checksum is wrong", payload: Array(row.payload), to: &page)
    }
    page.ticks.append(
      receivedAt: row.receivedAt, eventTime: row.eventTime, stream: row.stream.bindMemory(to: UInt8.self),
      payload: row.payload.bindMemory(to: UInt8.self))
    page.offsets.append(expected)
    advance(&page)
  }

  private mutating func addMissing(to page: inout TickPage) {
    addBad("the row is missing", payload: [], to: &page)
  }

  private mutating func addBad(_ cause: String, payload: [UInt8], to page: inout TickPage) {
    page.bad.append(TickPage.BadRow(offset: expected, cause: cause, payload: payload))
    advance(&page)
  }

  private mutating func advance(_ page: inout TickPage) {
    page.range = (page.range?.lowerBound ?? expected)...expected
    expected = expected.next
  }
}
