import Testing

@testable import WAL

@Suite struct StreamTimeTests {
  /// Microseconds.
  private static let second: Int64 = 1_000_000

  private func withLog(_ body: (WriteTransaction) throws -> Void) throws {
    let connection = try SQLiteConnection(path: ":memory:", access: .create)
    for statement in [
      "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID", Self.gaps, Self.consumers,
    ] {
      try connection.execute(statement)
    }
    try body(WriteTransaction(connection, head: .zero, now: 0))
  }

  private static let gaps = """
    CREATE TABLE gaps(id INTEGER PRIMARY KEY, started_at INTEGER, ended_at INTEGER, cause TEXT, streams TEXT, detail TEXT)
    """
  private static let consumers = "CREATE TABLE consumers(name TEXT PRIMARY KEY, enabled INTEGER)"

  @Test func `the time in gaps counts each stream, grows while one is open, and stays when it has ended`()
    throws
  {
    try withLog { transaction in
      let log = transaction.connection
      func seconds(at time: Int64) throws -> Int64 { try log.gapStreamTime(at: time * Self.second) / 1_000 }
      let id = try transaction.openGap(startedAt: 10 * Self.second, cause: .closed, streams: ["a", "b"])
      #expect(try seconds(at: 10) == 0)
      #expect(try seconds(at: 15) == 10)
      try transaction.closeGap(id, endedAt: 20 * Self.second)
      #expect(try seconds(at: 1_000) == 20)
      try transaction.closeGap(id, endedAt: 30 * Self.second)
      #expect(try seconds(at: 1_000) == 20)
      try transaction.extendGap(id, endedAt: 25 * Self.second, detail: nil)
      #expect(try seconds(at: 1_000) == 30)
      #expect(try transaction.reopenGap(id))
      #expect(try seconds(at: 40) == 60)
      try transaction.closeGap(id, endedAt: 50 * Self.second)
      _ = try transaction.addGap(
        startedAt: 0, endedAt: 3 * Self.second, cause: .sequence, streams: ["c"])
      #expect(try seconds(at: 1_000) == 83)
      try log.deleteGaps(through: 100)
      #expect(try seconds(at: 1_000) == 83)
    }
  }

  @Test func `the time in the list counts each stream, whether a process runs or not`() throws {
    try withLog { transaction in
      let log = transaction.connection
      func seconds(at time: Int64) throws -> Int64 { try log.feedStreamTime(at: time * Self.second) / 1_000 }
      func setStreams(_ streams: [String], at time: Int64) throws {
        try log.countStreamTime(at: time * Self.second)
        try log.setMeta(.streams, MetaList(streams))
      }
      #expect(try seconds(at: 100) == 0)
      try setStreams(["a", "b"], at: 100)
      #expect(try seconds(at: 110) == 20)
      try setStreams(["a"], at: 120)
      #expect(try seconds(at: 130) == 50)
      // A clock that was set back takes nothing away.
      #expect(try seconds(at: 90) == 40)
    }
  }
}
