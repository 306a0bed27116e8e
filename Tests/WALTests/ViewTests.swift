import Base
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct ViewTests {
  @Test func `a gap from the future is no less than nothing long`() async throws {
    try await withLog { log, _ in
      _ = try await log.write { try $0.openGap(startedAt: .max / 2, cause: .closed, streams: []) }
      let closed = try await log.write { try $0.openGap(startedAt: someTime, cause: .closed, streams: []) }
      try await log.write { try $0.closeGap(closed, endedAt: someTime - 3_600_000_000) }
      let reader = try await log.makeReader()
      let lengths = try await reader.read { connection in
        try (1...2).map { try connection.text("SELECT seconds FROM recent_gaps WHERE id = ?", .int($0)) }
      }
      let ended = try await reader.read { try $0.int("SELECT ended_at FROM gaps WHERE ended_at IS NOT NULL") }
      try await reader.close()
      #expect(lengths == ["0.0", "0.0"])
      #expect(ended == someTime)
    }
  }

  /// Through the program that an operator would use, while the log is open for writing.
  private func shell(_ path: String, _ sql: String) throws -> String {
    let result = try runProgram("sqlite3", ["-readonly", "-bail", path, sql])
    #expect(result.status == 0)
    #expect(result.errors == "")
    return result.output
  }

  @Test func `what is proven complete is shown as it was written last`() async throws {
    try await withLog { log, path in
      let reader = try await log.makeReader()
      #expect(try await reader.status().completeness == nil)
      #expect(try shell(path, "SELECT count(*) FROM completeness") == "0\n")
      var depth = Completeness.Kind(name: "depth")
      depth.add(ticks: 9, provenTicks: 7, isProven: true)
      depth.add(ticks: 5, provenTicks: 0, isProven: false)
      for time in [someTime, someTime + 5] {
        let completeness = Completeness(
          since: someTime, at: time, kinds: [depth, Completeness.Kind(name: "o\"thers")])
        try await log.write { try $0.setCompleteness(completeness) }
        #expect(try await reader.status().completeness == completeness)
      }
      #expect(
        try shell(path, "SELECT kind, streams, proven_streams, ticks, proven_ticks FROM completeness")
          == "depth|2|1|14|7\no\"thers|0|0|0|0\n")
      try await log.write { try $0.setMeta("completeness", "{\"since\":") }
      #expect(try await reader.status().completeness == nil)
      #expect(try shell(path, "SELECT * FROM completeness") == "")
      try await reader.close()
    }
  }

  private let miniTicker = """
    {"e":"24hrMiniTicker","E":1665778598188,"s":"BTCUSDT","c":"19182.10000000","o":"19478.02000000",\
    "h":"19951.87000000","l":"19100.01000000","v":"363872.29609000","q":"7119945056.15496440"}
    """

  @Test func `tick opens payloads up and damaged ones to nothing`() async throws {
    try await withLog { log, path in
      var batch = TickBatch()
      batch.append(
        receivedAt: someTime, eventTime: 1_665_778_598_188, stream: "btcusdt@miniTicker", payload: miniTicker)
      for payload in ["{\"e\":", "", "[[[", "{\"s\":\"é\u{0}\"", "7", String(repeating: "[", count: 100_000)]
      {
        batch.append(receivedAt: -1, eventTime: nil, stream: "x", payload: payload)
      }
      batch.append(receivedAt: .max, eventTime: .max, stream: "x", payload: "{\"e\":null,\"s\":[1]}")
      try await log.append(batch)
      try await log.write {
        try $0.connection.run("UPDATE ticks SET payload = x'ff00' WHERE offset = 5")
      }
      #expect(
        try shell(path, "SELECT * FROM tick WHERE offset = 1")
          == "1|2026-11-21 05:13:20.123456|2022-10-14 20:16:38.188000|btcusdt@miniTicker|24hrMiniTicker|BTCUSDT|"
          + "19182.10000000|19478.02000000|19951.87000000|19100.01000000|363872.29609000|7119945056.15496440|"
          + "\(miniTicker)\n")
      #expect(
        try shell(
          path,
          "SELECT count(*), count(event_type), count(symbol), min(received_at) FROM tick WHERE offset BETWEEN 2 AND 7"
        )
          == "6|0|0|1969-12-31 23:59:59.999999\n")
      #expect(try shell(path, "SELECT event_type IS NULL, symbol FROM tick WHERE offset = 8") == "1|[1]\n")
      let rows = try shell(path, "SELECT offset FROM tick ORDER BY offset")
      #expect(rows == "1\n2\n3\n4\n5\n6\n7\n8\n")
    }
  }

  @Test func `backlog has a row for each enabled consumer from the start`() async throws {
    let clock = ManualWallClock(WallClock.now())
    try await withLog(options: .make(clock: clock)) { log, path in
      #expect(try shell(path, "SELECT * FROM backlog") == "")
      let requests = ["s3", "dynamodb"].map {
        ConsumerRequest(name: ConsumerName(rawValue: $0), destination: "{}")
      }
      _ = try await log.enable(requests, acceptDestinations: false, logger: silent)
      #expect(try shell(path, "SELECT * FROM backlog") == "dynamodb|1|0|0|0.0\ns3|1|0|0|0.0\n")
      var batch = TickBatch()
      for age in [Int64(1_000), 100] {
        batch.append(receivedAt: clock.now - age * 1_000_000, eventTime: nil, stream: "x", payload: "{}")
      }
      try await log.append(batch)
      try await log.write { try $0.commit(ConsumerName(rawValue: "s3"), next: Offset(rawValue: 2)) }
      let columns = "consumer, next_offset, head, lag"
      #expect(
        try shell(path, "SELECT \(columns), oldest_unshipped_seconds / 100 >= 9.9 FROM backlog")
          == "dynamodb|1|2|2|1\ns3|2|2|1|0\n")
      let ages = try shell(path, "SELECT oldest_unshipped_seconds FROM backlog").split(separator: "\n")
      #expect(ages.compactMap { Double($0) }.map { $0 >= 99 && $0 < 1_500 } == [true, true])
      _ = try await log.enable([requests[0]], acceptDestinations: false, logger: silent)
      try await log.write { try $0.commit(ConsumerName(rawValue: "s3"), next: Offset(rawValue: 3)) }
      #expect(try shell(path, "SELECT * FROM backlog") == "s3|3|2|0|0.0\n")
    }
  }

  @Test func `gaps and batches come newest first`() async throws {
    let clock = ManualWallClock(someTime)
    try await withLog(options: .make(clock: clock)) { log, path in
      try await log.write { transaction in
        for number in Int64(1)...150 {
          let id = try transaction.openGap(
            startedAt: someTime + number * 1_000_000, cause: .closed, streams: ["a@trade"])
          if number < 150 { try transaction.closeGap(id, endedAt: someTime + number * 1_000_000 + 2_500_000) }
        }
      }
      #expect(
        try shell(path, "SELECT * FROM recent_gaps LIMIT 1 OFFSET 1")
          == "149|2026-11-21 05:15:49.123456|2026-11-21 05:15:51.623456|2.5|closed|[\"a@trade\"]|\n")
      #expect(try shell(path, "SELECT count(*), min(id), max(id) FROM recent_gaps") == "100|51|150\n")
      #expect(try shell(path, "SELECT id, ended_at IS NULL FROM recent_gaps LIMIT 1") == "150|1\n")
      for number in Int64(1)...3 {
        clock.set(someTime + number)
        let plan = BatchPlan(
          consumer: ConsumerName(rawValue: "s3"), range: offsets(number * 10...number * 10 + 9),
          destination: "{}", bucket: "b", key: "k\(number)", rows: 10, sha256: "aa")
        try await log.write { transaction in
          try transaction.plan(plan)
          if number == 2 { try transaction.markShipped(plan) }
        }
      }
      #expect(
        try shell(path, "SELECT * FROM recent_batches")
          == "s3|30|39|10|planned|b|k3|aa|2026-11-21 05:13:20.123459|\n"
          + "s3|20|29|10|shipped|b|k2|aa|2026-11-21 05:13:20.123458|2026-11-21 05:13:20.123458\n"
          + "s3|10|19|10|planned|b|k1|aa|2026-11-21 05:13:20.123457|\n")
    }
  }

  @Test func `a shell that looks in does not disturb the writer`() async throws {
    try await withLog { log, path in
      for number in 1...20 {
        let range = try await log.append(ticks(10, from: number))
        #expect(range?.upperBound.rawValue == Int64(number * 10))
        #expect(
          try shell(path, "SELECT count(*), max(offset) FROM tick") == "\(number * 10)|\(number * 10)\n")
      }
      let refused = try runProgram("sqlite3", ["-readonly", path, "DELETE FROM ticks"])
      #expect(refused.status != 0)
    }
  }
}
