import Base
import Glibc
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct ReadingTests {
  @Test func `a page is bounded by ticks and by its ends`() async throws {
    try await withLog { log, _ in
      try await log.append(ticks(100))
      let reader = try await log.makeReader()
      func range(_ first: Int64, through last: Int64? = nil, _ maximum: Int) async throws -> OffsetRange? {
        let page = try await reader.page(
          from: Offset(rawValue: first), through: last.map { Offset(rawValue: $0) }, maximumTicks: maximum)
        #expect(page.head == Offset(rawValue: 100))
        #expect(page.ticks.count == page.offsets.count)
        #expect(page.range?.length ?? 0 == page.ticks.count)
        return page.range
      }
      #expect(try await range(1, 10) == offsets(1...10))
      #expect(try await range(11, 1) == offsets(11...11))
      #expect(try await range(95, 10) == offsets(95...100))
      #expect(try await range(95, .max) == offsets(95...100))
      #expect(try await range(40, through: 45, 10) == offsets(40...45))
      #expect(try await range(40, through: 400, 1_000) == offsets(40...100))
      #expect(try await range(101, 10) == nil)
      #expect(try await range(500, 10) == nil)
      #expect(try await range(50, through: 49, 10) == nil)
      #expect(try await range(1, 0) == nil)
      try await reader.close()
    }
  }

  @Test func `a page is bounded by bytes but holds at least one tick`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(20, padding: 1_000))
      let reader = try await log.makeReader()
      let page = try await reader.page(from: .first, maximumTicks: 20, maximumBytes: 5_000)
      #expect(page.range == offsets(1...5))
      let one = try await reader.page(from: Offset(rawValue: 3), maximumTicks: 20, maximumBytes: 1)
      #expect(one.range == offsets(3...3))
      try await reader.close()
      try await log.close()
      // Bad rows count, too.
      try alter(path, "UPDATE ticks SET checksum = checksum + 1")
      let after = try await LogReader(path: path)
      let bad = try await after.page(from: .first, maximumTicks: 20, maximumBytes: 5_000)
      #expect(bad.range == offsets(1...5))
      #expect(bad.bad.map(\.payload.count).reduce(0, +) >= 5_000)
      try await after.close()
    }
  }

  @Test func `an empty log has an empty page`() async throws {
    try await withLog { log, _ in
      let reader = try await log.makeReader()
      let page = try await reader.page(from: .first, maximumTicks: 10)
      #expect(page.range == nil)
      #expect(page.head == .zero)
      #expect(try await reader.oldest() == nil)
      try await reader.close()
    }
  }

  @Test func `readers cannot write`() async throws {
    try await withLog { log, _ in
      try await log.append(ticks(1))
      let reader = try await log.makeReader()
      #expect(try await reader.text("PRAGMA query_only") == "1")
      #expect(try await reader.text("PRAGMA wal_autocheckpoint") == "0")
      for sql in ["DELETE FROM ticks", "CREATE TABLE x(y)", "PRAGMA user_version = 7"] {
        let error = try await logError { try await reader.execute(sql) }
        #expect(error.code == .failed)
      }
      // Not even with the first bar lifted.
      try await reader.execute("PRAGMA query_only = 0")
      _ = try await logError { try await reader.execute("DELETE FROM ticks") }
      #expect(try await readAll(reader).ticks.count == 1)
      try await reader.close()
      let error = try await logError { _ = try await reader.head() }
      #expect(error.code == .closed)
    }
  }

  @Test func `a reader in a transaction does not stop the writer and keeps its snapshot`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(1))
      let shell = try SQLiteConnection(path: path, access: .readOnly)
      try shell.setCheckpointOnClose(false)
      try shell.execute("BEGIN")
      #expect(try shell.int("SELECT count(*) FROM ticks") == 1)
      #expect(try await log.append(ticks(9, from: 2)) == offsets(2...10))
      #expect(try shell.int("SELECT count(*) FROM ticks") == 1)
      try shell.execute("COMMIT")
      #expect(try shell.int("SELECT count(*) FROM ticks") == 10)
      try shell.close()
    }
  }

  @Test func `a writer in a transaction does not stop readers`() async throws {
    try await withLog { log, _ in
      try await log.append(ticks(5))
      let reader = try await log.makeReader()
      let inside = Latch<Void>()
      let gate = Monitor(false)
      async let written: Void = log.write { transaction in
        try transaction.setMeta("x", "1")
        inside.set(())
        gate.wait { isOpen in isOpen ? .done(()) : .sleep }
      }
      try await inside.wait()
      #expect(try await readAll(reader).ticks.count == 5)
      #expect(try await reader.meta("x") == nil)
      gate.withLock { $0 = true }
      gate.signal()
      try await written
      #expect(try await reader.meta("x") == "1")
      try await reader.close()
    }
  }

  @Test func `a reader works on a log that is closed`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(5))
      try await log.close()
      #expect(try await contents(of: path).ticks.count == 5)
      // It has not kept the next writer from opening the log, and sees what that writes.
      let reader = try await LogReader(path: path)
      let again = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await again.append(ticks(5, from: 6))
      #expect(try await readAll(reader).ticks.count == 10)
      // Closing the log does not wait for open readers and breaks none.
      try await again.close()
      #expect(try await readAll(reader).ticks.count == 10)
      try await reader.close()
    }
  }

  @Test func `what is no log is not read`() async throws {
    try await withTemporaryFolder { folder in
      let absent = try await logError { _ = try await LogReader(path: folder + "/none.db") }
      #expect(absent.code == .unusablePath)
      let directory = try await logError { _ = try await LogReader(path: folder) }
      #expect(directory.code == .unusablePath)
      let other = try SQLiteConnection(path: folder + "/other.db", access: .create)
      try other.execute("CREATE TABLE t(x)")
      try other.close()
      let foreign = try await logError { _ = try await LogReader(path: folder + "/other.db") }
      #expect(foreign.code == .notALog)
      let log = try await TickLog.open(path: folder + "/new.db", options: .make(), logger: silent)
      try await log.close()
      try alter(folder + "/new.db", "PRAGMA user_version = 3")
      let newer = try await logError { _ = try await LogReader(path: folder + "/new.db") }
      #expect(newer.code == .newerSchema)
    }
  }

  @Test func `the status tells what is there`() async throws {
    let clock = ManualWallClock(someTime)
    try await withLog(options: .make(clock: clock)) { log, path in
      let s3 = ConsumerRequest(name: ConsumerName(rawValue: "s3"), destination: "{}")
      let old = ConsumerRequest(name: ConsumerName(rawValue: "old"), destination: "{}")
      _ = try await log.enable([old], acceptDestinations: false, logger: silent)
      _ = try await log.enable([s3], acceptDestinations: false, logger: silent)
      try await log.append(ticks(10), rejected: [RejectedInput(payload: [1], cause: "no JSON")])
      try await log.write { transaction in
        try transaction.commit(s3.name, next: Offset(rawValue: 4), expired: 2)
        try transaction.skip(offsets(1...2), of: s3.name, why: "x")
        try transaction.add(
          DeadLetter(offset: .first, consumer: s3.name, cause: "c", attempts: 1, payload: []))
        try transaction.plan(
          BatchPlan(
            consumer: s3.name, range: offsets(4...9), destination: "{}", bucket: "b", key: "k", rows: 6,
            sha256: ""))
        let id = try transaction.openGap(startedAt: 1, cause: .stale, streams: ["a"])
        try transaction.closeGap(id, endedAt: 2)
        _ = try transaction.openGap(startedAt: 3, cause: .closed, streams: ["a"])
      }
      let reader = try await log.makeReader()
      let status = try await reader.status()
      #expect(status.logID == (try await reader.logID()))
      #expect((status.head, status.oldest) == (Offset(rawValue: 10), .first))
      #expect(status.lastReceivedAt == someTime + 10)
      #expect(status.writerPID == getpid())
      #expect(status.rejectedInput == 1)
      #expect(status.openGaps.map(\.startedAt) == [3])
      #expect(status.endedGaps == 1)
      #expect(status.walBytes > 0 && status.fileBytes > 0)
      #expect(status.consumers.map(\.name) == [s3.name, old.name])
      let consumer = status.consumers[0]
      #expect((consumer.lag, consumer.next, consumer.isEnabled) == (7, Offset(rawValue: 4), true))
      #expect(
        (consumer.expired, consumer.deadLetters, consumer.skipped, consumer.openBatches) == (2, 1, 2, 1))
      #expect(!status.consumers[1].isEnabled)
      try await log.close()
      #expect(try await reader.status().writerPID == nil)
      try await reader.close()
    }
  }
}
