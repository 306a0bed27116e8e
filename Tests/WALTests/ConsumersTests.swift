import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct ConsumersTests {
  @Test func `a hold is noted until the consumer moves or the next start`() async throws {
    let clock = ManualWallClock(someTime)
    try await withLog(options: .make(clock: clock)) { log, path in
      let s3 = ConsumerName(rawValue: "s3")
      let requests = [ConsumerRequest(name: s3, destination: "{}")]
      let reader = try await log.makeReader()
      func hold() async throws -> Hold? { try await reader.status(now: someTime).consumers.first?.hold }
      _ = try await log.enable(requests, acceptDestinations: false, logger: silent)
      try await log.append(ticks(3))
      #expect(try await hold() == nil)
      try await log.hold(s3, why: "a \"b\"")
      clock.set(someTime + 5)
      try await log.hold(s3, why: "c")
      #expect(try await hold() == Hold(since: someTime, why: "c"))
      try await log.write { try $0.commit(s3, next: Offset(rawValue: 2)) }
      #expect(try await hold() == nil)
      try await log.hold(s3, why: "d")
      #expect(try await hold() == Hold(since: someTime + 5, why: "d"))
      try await log.release(s3)
      #expect(try await hold() == nil)
      try await log.hold(s3, why: "e")
      _ = try await log.enable(requests, acceptDestinations: false, logger: silent)
      #expect(try await hold() == nil)
      try await reader.close()
    }
  }

  private let s3 = ConsumerRequest(name: ConsumerName(rawValue: "s3"), destination: "{\"bucket\":\"a\"}")
  private let dynamo = ConsumerRequest(
    name: ConsumerName(rawValue: "dynamodb"), destination: "{\"table\":\"t\"}")

  private func state(_ log: TickLog) async throws -> [Consumer] {
    let reader = try await log.makeReader()
    let consumers = try await reader.consumers()
    try await reader.close()
    return consumers
  }

  @Test func `a new consumer starts at the oldest tick kept`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      var log = try await TickLog.open(path: path, options: .make(), logger: silent)
      let first = try await log.enable([s3], acceptDestinations: false, logger: silent)
      #expect(first.map(\.next) == [.first])
      try await log.append(ticks(10))
      try await log.close()
      try alter(path, "DELETE FROM ticks WHERE offset <= 4; INSERT INTO meta VALUES ('trimmed', 4)")
      log = try await TickLog.open(path: path, options: .make(), logger: silent)
      let logs = RecordedLogs()
      let both = try await log.enable([dynamo, s3], acceptDestinations: false, logger: logs.logger)
      #expect(both.map(\.name.rawValue) == ["dynamodb", "s3"])
      #expect(both.map(\.next) == [Offset(rawValue: 5), Offset(rawValue: 5)])
      #expect(both.map(\.isEnabled) == [true, true])
      let reader = try await log.makeReader()
      #expect(
        try await reader.text(
          "SELECT group_concat(consumer || first_offset || '-' || last_offset || why) FROM skipped")
          == "s31-4trimmed while the consumer was disabled")
      try await reader.close()
      let warning = try #require(logs.entries.first { $0.level == .warning })
      #expect(warning.metadata["consumer"] == "s3")
      #expect(warning.metadata["skipped_first"] == "1")
      #expect(warning.metadata["skipped_last"] == "4")
      // It was said and recorded once.
      let again = try await log.enable([dynamo, s3], acceptDestinations: false, logger: logs.logger)
      #expect(again == both)
      #expect(logs.entries.count == 1)
      try await log.close()
    }
  }

  @Test func `ticks that are missing are not taken for trimmed`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      var log = try await TickLog.open(path: path, options: .make(), logger: silent)
      _ = try await log.enable([s3], acceptDestinations: false, logger: silent)
      try await log.append(ticks(10))
      try await log.close()
      try alter(path, "DELETE FROM ticks WHERE offset <= 4")
      log = try await TickLog.open(path: path, options: .make(), logger: silent)
      let consumers = try await log.enable([s3, dynamo], acceptDestinations: false, logger: silent)
      #expect(consumers.map(\.next) == [.first, .first])
      let reader = try await log.makeReader()
      #expect(try await reader.oldest() == .first)
      #expect(try await reader.text("SELECT count(*) FROM skipped") == "0")
      try await reader.close()
      try await log.close()
    }
  }

  @Test func `an emptied log starts consumers behind its head`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      var log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(10))
      try await log.close()
      try alter(path, "DELETE FROM ticks; INSERT INTO meta VALUES ('trimmed', 10)")
      log = try await TickLog.open(path: path, options: .make(), logger: silent)
      let consumers = try await log.enable([s3], acceptDestinations: false, logger: silent)
      #expect(consumers.map(\.next) == [Offset(rawValue: 11)])
      try await log.close()
    }
  }

  @Test func `a consumer that is not asked for is disabled and goes on later`() async throws {
    try await withLog { log, _ in
      _ = try await log.enable([s3, dynamo], acceptDestinations: false, logger: silent)
      try await log.append(ticks(5))
      try await log.write { try $0.commit(ConsumerName(rawValue: "s3"), next: Offset(rawValue: 4)) }
      let rest = try await log.enable([dynamo], acceptDestinations: false, logger: silent)
      #expect(rest.map(\.name) == [dynamo.name])
      #expect(try await state(log).map(\.isEnabled) == [true, false])
      let back = try await log.enable([s3], acceptDestinations: false, logger: silent)
      #expect(back.map(\.next) == [Offset(rawValue: 4)])
      #expect(try await log.enable([], acceptDestinations: false, logger: silent) == [])
    }
  }

  @Test func `another destination is refused naming both and changes nothing`() async throws {
    try await withLog { log, _ in
      _ = try await log.enable([s3], acceptDestinations: false, logger: silent)
      let before = try await state(log)
      let moved = ConsumerRequest(name: s3.name, destination: "{\"bucket\":\"other\"}")
      let error = try await logError {
        _ = try await log.enable([dynamo, moved], acceptDestinations: false, logger: silent)
      }
      #expect(error.code == .destinationChanged)
      #expect(error.description.contains("delivered to bucket a and is now to deliver to bucket other"))
      #expect(error.description.contains("--accept-destination"))
      #expect(!error.description.contains("\n"))
      #expect(try await state(log) == before)
      let accepted = try await log.enable([moved], acceptDestinations: true, logger: silent)
      #expect(accepted.map(\.destination) == [moved.destination])
      #expect(try await state(log).map(\.destination) == [moved.destination])
    }
  }
}
