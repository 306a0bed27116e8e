/// Free pages that the log's file keeps while its volume is short of room, so that plans and offsets of consumers need
/// no growth of it.
///
/// If it had to grow by one page for what SQLite's WAL holds, and there were no room for that, the WAL could not start
/// over, and trimming could free nothing. The pages are written before they are freed: otherwise the file would have
/// holes in their place, which take room later.
struct SparePages {
  static let count = 16
  private static let key = "spare_pages"

  private let connection: SQLiteConnection
  /// `nil` before the first look.
  private var isFilled: Bool?

  init(_ connection: SQLiteConnection) {
    self.connection = connection
  }

  /// Fills pages, or frees those that were filled and have been copied into the file by now.
  ///
  /// - Parameter free: free pages in the file.
  /// - Returns: whether it did something, after which SQLite's WAL is to be copied.
  mutating func step(free: Int, disk: DiskGuard) throws(SQLiteError) -> Bool {
    if try hasFilled() {
      try connection.run("DELETE FROM meta WHERE key = ?", .text(Self.key))
      isFilled = false
      return true
    }
    guard disk.level >= .stop, free < Self.count / 2, let available = disk.last?.available,
      available >= 4 * Self.count * SQLiteConnection.pageBytes
    else { return false }
    try connection.run(
      "INSERT INTO meta(key, value) VALUES (?, zeroblob(?))", .text(Self.key),
      .int(Int64(Self.count * SQLiteConnection.pageBytes)))
    isFilled = true
    return true
  }

  /// A process may have been killed in between.
  private mutating func hasFilled() throws(SQLiteError) -> Bool {
    if let isFilled { return isFilled }
    let found = try connection.int("SELECT count(*) FROM meta WHERE key = ?", .text(Self.key)) == 1
    isFilled = found
    return found
  }
}
