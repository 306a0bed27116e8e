import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct TrimmingTests {
  @Test func `a tick goes when it is old and every enabled consumer is past it`() async throws {
    try await withTrimmedLog([s3, dynamo]) { log, machine, _ in
      try await log.append(ticks(10_000))
      try await log.commit(s3, next: 8_001)
      try await log.note(machine)
      machine.pass(anHour - .seconds(1))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "1-10000"))
      machine.pass(.seconds(1))
      try await log.upkeepDone()
      // The slower one has shipped nothing.
      #expect(try await Remains(log) == Remains(ticks: "1-10000"))
      try await log.commit(dynamo, next: 6_001)
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "6001-10000"))
      try await log.commit(dynamo, next: 10_001)
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "8001-10000"))
      try await log.commit(s3, next: 10_001)
      try await log.append(ticks(10))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "10001-10010"))
    }
  }

  @Test func `a disabled consumer holds nothing and no consumer means age alone`() async throws {
    try await withTrimmedLog([dynamo]) { log, machine, _ in
      try await log.append(ticks(3_000))
      try await log.enable([])
      try await log.append(ticks(1_000))
      try await log.note(machine)
      machine.pass(anHour - .seconds(1))
      try await log.append(ticks(1_000))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "1-5000"))
      machine.pass(.seconds(1))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "4001-5000"))
    }
  }

  // MARK: Clocks

  private static let aYear = Duration.seconds(365 * 86_400)

  @Test(arguments: [aYear, .zero - aYear])
  func `a clock that is set neither trims early nor blocks`(by jump: Duration) async throws {
    try await withTrimmedLog([]) { log, machine, _ in
      try await log.append(ticks(100))
      try await log.note(machine)
      machine.setWall(forwardBy: jump)
      // Stamped by the clock as it is now: in the future, or long ago.
      var strange = TickBatch()
      for _ in 0..<100 {
        strange.append(receivedAt: machine.wall, eventTime: nil, stream: "a@trade", payload: "{}")
      }
      try await log.append(strange)
      try await log.note(machine)
      machine.pass(.seconds(1_800))
      machine.setWall(forwardBy: .zero - jump)
      try await log.append(ticks(100))
      try await log.note(machine)
      #expect(try await Remains(log) == Remains(ticks: "1-300"))
      machine.pass(.seconds(1_800 - 30))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "101-300"))
      machine.pass(.seconds(15))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "201-300"))
      machine.pass(.seconds(1_815))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: ""))
    }
  }

  @Test func `age goes on over a start of the program and of the machine`() async throws {
    let machine = ManualMachine()
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      func start() async throws -> TickLog {
        let log = try await TickLog.open(path: path, options: machine.options(), logger: silent)
        log.startUpkeep(retention: anHour * 3, disk: .off)
        try await log.upkeepDone()
        return log
      }
      var log = try await start()
      try await log.append(ticks(100))
      machine.pass(RetentionRule(retention: anHour * 3).markInterval)
      try await log.upkeepDone()
      try await log.close()
      machine.pass(anHour)
      machine.setWall(forwardBy: Self.aYear)
      log = try await start()
      #expect(try await Remains(log) == Remains(ticks: "1-100"))
      try await log.close()
      // Off for a day, or the clock was set: it cannot be known, and counts for an hour.
      machine.restart(off: .seconds(86_400))
      log = try await start()
      machine.pass(anHour - .seconds(1))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: "1-100"))
      machine.pass(.seconds(1))
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: ""))
      try await log.close()
    }
  }

  // MARK: Batches

  @Test func `a batch goes whole with its plan`() async throws {
    try await withTrimmedLog([s3]) { log, machine, _ in
      try await log.append(ticks(1_000))
      try await log.note(machine)
      machine.pass(anHour)
      try await log.append(ticks(9_000))
      try await log.plan(s3, 1...700, 701...1_500, 1_501...9_000, 9_001...9_100, shipped: true)
      try await log.plan(s3, 9_101...9_200, shipped: false)
      try await log.commit(s3, next: 9_101)
      try await log.upkeepDone()
      // 1,000 are old, in the middle of a batch.
      #expect(
        try await Remains(log)
          == Remains(ticks: "701-10000", plans: "701-1500 1501-9000 9001-9100 9101-9200?"))
      // Longer than what is deleted at a time.
      try await log.grow(old: machine)
      #expect(try await Remains(log) == Remains(ticks: "9101-10000", plans: "9101-9200?"))
    }
  }

  @Test func `batches of a consumer that is off do not keep ticks`() async throws {
    let local = ConsumerName(rawValue: "local-s3")
    try await withTrimmedLog([local]) { log, machine, _ in
      try await log.append(ticks(1_000))
      try await log.plan(local, 1...300, 301...900, shipped: true)
      try await log.commit(local, next: 901)
      try await log.enable([s3])
      try await log.plan(s3, 1...200, 201...950, shipped: true)
      try await log.commit(s3, next: 951)
      try await log.grow(old: machine)
      #expect(try await Remains(log) == Remains(ticks: "951-1000"))
    }
  }

  @Test func `plans that were open when a consumer was disabled hold their ticks`() async throws {
    try await withTrimmedLog([s3, dynamo]) { log, machine, _ in
      try await log.append(ticks(10_000))
      try await log.plan(s3, 1...500, shipped: true)
      try await log.plan(s3, 501...600, shipped: false)
      try await log.plan(s3, 601...700, shipped: true)
      try await log.plan(s3, 701...800, shipped: false)
      try await log.commit(s3, next: 501)
      try await log.enable([dynamo])
      try await log.commit(dynamo, next: 9_001)
      try await log.grow(old: machine)
      #expect(
        try await Remains(log)
          == Remains(ticks: "501-600 701-800 9001-10000", plans: "501-600? 601-700 701-800?"))

      let reader = try await log.makeReader()
      // A newcomer does not start among them.
      let local = ConsumerName(rawValue: "local-dynamodb")
      let others = try await log.enable([local])
      #expect(others.map(\.next) == [Offset(rawValue: 9_001)])
      #expect(try await reader.oldest() == Offset(rawValue: 9_001))

      let again = try await log.enable([s3, dynamo])
      #expect(again.map(\.next) == [Offset(rawValue: 9_001), Offset(rawValue: 501)])
      #expect(
        try await reader.text(
          "SELECT group_concat(consumer || first_offset || '-' || last_offset) FROM skipped")
          == "s3801-9000")
      // What shipping does: it goes from plan to plan, and reads those that are open.
      var next = Offset(rawValue: 501)
      var read: [Int64] = []
      while let plan = try await reader.plan(of: s3, from: next) {
        #expect(plan.range.lowerBound == next)
        next = plan.range.upperBound.next
        guard plan.state == .planned else { continue }
        let page = try await reader.page(
          from: plan.range.lowerBound, through: plan.range.upperBound, maximumTicks: 1_000)
        #expect(page.bad.isEmpty)
        #expect(page.range == plan.range)
        read += page.offsets.map(\.rawValue)
        try await log.write { [next] transaction in
          try transaction.markShipped(plan)
          try transaction.commit(s3, next: next)
        }
      }
      #expect(read == Array(501...600) + Array(701...800))
      #expect(next == Offset(rawValue: 9_001))
      try await log.commit(s3, next: 9_001)
      try await log.upkeepDone()
      #expect(try await Remains(log).ticks == "9001-10000")
      // Their rows go with the next ones that are trimmed.
      try await log.commit(s3, next: 10_001)
      try await log.commit(dynamo, next: 10_001)
      try await log.upkeepDone()
      #expect(try await Remains(log) == Remains(ticks: ""))
      try await reader.close()
    }
  }

  @Test func `a row that is missing in a held plan is damage and one beside it is not`() async throws {
    try await withTrimmedLog([s3, dynamo]) { log, machine, _ in
      try await log.append(ticks(1_000))
      try await log.plan(s3, 101...200, shipped: false)
      try await log.commit(s3, next: 101)
      try await log.enable([dynamo])
      try await log.commit(dynamo, next: 901)
      try await log.write { try $0.connection.run("DELETE FROM ticks WHERE offset = 150") }
      try await log.grow(old: machine)
      let reader = try await log.makeReader()
      let page = try await reader.page(from: Offset(rawValue: 101), maximumTicks: 1_000)
      #expect(page.bad.map(\.offset.rawValue) == [150])
      #expect(page.range == offsets(101...200))
      for offset in [1, 100, 201, 900] as [Int64] {
        let error = try await logError {
          _ = try await reader.page(from: Offset(rawValue: offset), maximumTicks: 10)
        }
        #expect(error.code == .notFound)
        #expect(error.description == "offset \(offset) is trimmed: the oldest tick kept is 901")
      }
      try await reader.close()
    }
  }

  // MARK: What is left

  @Test func `offsets and the time of the last tick survive`() async throws {
    let machine = ManualMachine()
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      var log = try await TickLog.open(path: path, options: machine.options(), logger: silent)
      try await log.enable([dynamo])
      log.startUpkeep(retention: anHour, disk: .off)
      _ = try await log.beginFeed(streams: ["a@trade"])
      try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
        log.setStreams(["a@trade"], slots: [1: ["a@trade"]]) { continuation.resume(with: $0) }
      }
      try await log.append(ticks(2_345)) { try $0.setWatermark(of: 1, to: someTime + 2_345) }
      try await log.commit(dynamo, next: 2_346)
      try await log.grow(old: machine)
      #expect(try await Remains(log) == Remains(ticks: ""))
      try await log.close()
      log = try await TickLog.open(path: path, options: machine.options(), logger: silent)
      #expect(log.head == Offset(rawValue: 2_345))
      let reader = try await log.makeReader()
      #expect(try await reader.oldest() == nil)
      #expect(try await reader.status().lastReceivedAt == someTime + 2_345)
      #expect(try await reader.page(from: Offset(rawValue: 2_346), maximumTicks: 1).range == nil)
      // As after a kill, because nothing said that the feed had ended.
      let gap = try #require(try await log.beginFeed(streams: ["b@trade"]).openGaps.first)
      #expect((gap.cause, gap.startedAt) == (.crash, someTime + 2_345))
      let both = try await log.enable([dynamo, s3])
      #expect(both.map(\.next.rawValue) == [2_346, 2_346])
      #expect(try await log.append(ticks(1, from: 9))?.lowerBound == Offset(rawValue: 2_346))
      #expect(try await reader.status().lastReceivedAt == someTime + 9)
      #expect(try await reader.oldest() == Offset(rawValue: 2_346))
      try await reader.close()
      try await log.close()
    }
  }

  @Test func `a consumer that is enabled again goes on at the oldest tick`() async throws {
    try await withTrimmedLog([s3, dynamo]) { log, machine, _ in
      try await log.append(ticks(100))
      try await log.plan(s3, 1...10, shipped: true)
      try await log.commit(s3, next: 11)
      try await log.enable([dynamo])
      try await log.commit(dynamo, next: 51)
      try await log.grow(old: machine)
      let both = try await log.enable([dynamo, s3])
      #expect(both.map(\.next.rawValue) == [51, 51])
      let reader = try await log.makeReader()
      #expect(
        try await reader.text(
          "SELECT group_concat(consumer || first_offset || '-' || last_offset) FROM skipped")
          == "s311-50")
      #expect(try await Remains(log) == Remains(ticks: "51-100"))
      try await reader.close()
    }
  }

  @Test func `gaps go ninety days after their end`() async throws {
    try await withTrimmedLog([]) { log, machine, _ in
      func gaps() async throws -> String? {
        let reader = try await log.makeReader()
        let ids = try await reader.text("SELECT group_concat(id) FROM gaps")
        try await reader.close()
        return ids
      }
      func days(_ count: Int) async throws {
        for _ in 0..<count {
          machine.pass(.seconds(86_400))
          try await log.upkeepDone()
        }
      }
      func open() async throws -> Gap.ID {
        try await log.write { try $0.openGap(startedAt: someTime, cause: .closed, streams: []) }
      }
      let first = try await open()
      try await log.write { try $0.closeGap(first, endedAt: someTime) }
      try await days(1)
      // Open for a hundred days: the ninety count from its end.
      let second = try await open()
      try await days(89)
      #expect(try await gaps() == "1,2")
      try await days(1)
      #expect(try await gaps() == "2")
      try await days(10)
      #expect(try await gaps() == "2")
      try await log.write { try $0.closeGap(second, endedAt: someTime) }
      try await days(90)
      #expect(try await gaps() == "2")
      try await days(2)
      #expect(try await gaps() == nil)
      // Ids are not used twice either.
      #expect(try await open().rawValue == 3)
    }
  }

  @Test func `a gap that a consumer has yet to tell of stays`() async throws {
    try await withTrimmedLog([s3]) { log, machine, _ in
      func gaps() async throws -> String? {
        let reader = try await log.makeReader()
        let ids = try await reader.text("SELECT group_concat(id) FROM gaps")
        try await reader.close()
        return ids
      }
      func note(_ text: String) async throws {
        try await log.write { try $0.setMeta("gaps s3", text) }
        machine.pass(.seconds(86_400))
        try await log.upkeepDone()
      }
      try await log.write { transaction in
        for _ in 1...4 {
          let gap = try transaction.openGap(startedAt: someTime, cause: .closed, streams: [])
          try transaction.closeGap(gap, endedAt: someTime)
        }
      }
      for _ in 0..<92 { try await note("{\"next\":1,\"open\":[]}") }
      #expect(try await gaps() == "1,2,3,4")
      try await note("{\"next\":3,\"open\":[1]}")
      #expect(try await gaps() == "1,3,4")
      try await note("nonsense")
      #expect(try await gaps() == "1,3,4")
      try await note("{\"next\":4,\"open\":[]}")
      #expect(try await gaps() == "4")
      // A consumer that is off holds none.
      try await log.enable([])
      machine.pass(.seconds(86_400))
      try await log.upkeepDone()
      #expect(try await gaps() == nil)
    }
  }

  // MARK: Beside others

  @Test func `a reader that pages while ticks go hears of it and sees no damage`() async throws {
    try await withTrimmedLog([]) { log, machine, _ in
      try await log.append(ticks(10_000))
      let reader = try await log.makeReader()
      let first = try await reader.page(from: .first, maximumTicks: 500)
      #expect(first.ticks.count == 500)
      try await log.grow(old: machine)
      let error = try await logError {
        _ = try await reader.page(from: Offset(rawValue: 501), maximumTicks: 500)
      }
      #expect(error.code == .notFound)
      try await reader.close()
    }
  }

  @Test func `damage where ticks are trimmed stops trimming and nothing else`() async throws {
    let machine = ManualMachine()
    let logs = RecordedLogs()
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      var log = try await TickLog.open(path: path, options: machine.options(), logger: logs.logger)
      try await log.append(ticks(1_000, padding: 500))
      try await log.close()
      var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      // The leaf with the oldest ticks: starting does not read it.
      let oldest = try #require(bytes.firstRange(of: Array("{\"n\":1,".utf8))).lowerBound
      bytes[oldest / 4_096 * 4_096] = 0xFF
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      log = try await TickLog.open(path: path, options: machine.options(), logger: logs.logger)
      log.startUpkeep(retention: anHour, disk: .off)
      try await log.grow(old: machine)
      #expect(logs.messages(.error).count == 1)
      #expect(logs.messages(.error).first?.contains("damaged") == true)
      try await log.write { try $0.setMeta("still", "writable") }
      try await log.upkeepDone()
      machine.pass(.seconds(600))
      try await log.upkeepDone()
      #expect(logs.messages(.error).count == 2)
      try await log.close()
    }
  }
}
