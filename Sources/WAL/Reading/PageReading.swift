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

  private static let columns = "offset, received_at, event_time, stream, payload, checksum"

  /// The straight way: one walk over the table, up to the first offset that is not where it belongs.
  ///
  /// - Returns: whether the page is done. If not, damage may have misled the walk, and `probe` must go on.
  mutating func scan(_ connection: SQLiteConnection, into page: inout TickPage) throws(SQLiteError) -> Bool {
    let statement = try connection.statement(
      "SELECT \(Self.columns) FROM ticks WHERE offset BETWEEN ? AND ? ORDER BY offset")
    try statement.bind(1, expected.rawValue)
    try statement.bind(2, end.rawValue)
    defer { statement.reset() }
    while !isDone, try statement.step() {
      guard statement.int(0) == expected.rawValue else { return false }
      add(statement, to: &page)
    }
    return isDone
  }

  /// Offset by offset, so that damage costs the rows on it and no others.
  mutating func probe(_ connection: SQLiteConnection, into page: inout TickPage) throws(SQLiteError) {
    let statement = try connection.statement("SELECT \(Self.columns) FROM ticks WHERE offset = ?")
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

  private mutating func add(_ row: SQLiteStatement, to page: inout TickPage) {
    let stream = row.bytes(3)
    let payload = row.bytes(4)
    bytes += stream.count + payload.count
    let receivedAt = row.int(1)
    let eventTime = row.optionalInt(2)
    let checksum = Checksum.row(
      offset: expected, receivedAt: receivedAt, eventTime: eventTime, stream: stream, payload: payload)
    guard row.isInteger(5), row.int(5) == Int64(checksum) else {
      return addBad("the row's checksum is wrong", payload: Array(payload), to: &page)
    }
    page.ticks.append(
      receivedAt: receivedAt, eventTime: eventTime, stream: stream.bindMemory(to: UInt8.self),
      payload: payload.bindMemory(to: UInt8.self))
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
