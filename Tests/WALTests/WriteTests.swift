import Base
import Glibc
import LogFixtures
import Logging
import TestSupport
import Testing

@testable import WAL

struct Refusal: Error, Equatable {}

@Suite struct WriteTests {
  @Test func `a failing request undoes only itself and its ticks stay`() async throws {
    // One group of four requests: the fourth fills it.
    try await withLog(options: .make(linger: .seconds(3_600))) { log, path in
      let results = Shared<[Int: Result<OffsetRange?, any Error>]>([:])
      for index in 0..<4 {
        let isTaken = try log.tryAppend(
          ticks(250, from: index * 250 + 1),
          body: { transaction in
            try transaction.setMeta("test-\(index)", "written")
            if index == 1 { throw Refusal() }
            // A constraint: the request's fault, not the log's.
            if index == 2 { try transaction.connection.run("INSERT INTO gaps(started_at) VALUES (1)") }
          }, completion: { result in results.withLock { $0[index] = result } })
        #expect(isTaken)
      }
      _ = try await log.head { $0 > Offset(rawValue: 999) }
      #expect(try await log.append(ticks(1_000, from: 1_001)) == offsets(1_001...2_000))
      let all = results.current
      #expect(try all[0]?.get() == offsets(1...250))
      #expect(throws: Refusal.self) { try all[1]?.get() }
      #expect(throws: LogError.self) { try all[2]?.get() }
      #expect(try all[3]?.get() == offsets(751...1_000))
      let reader = try await log.makeReader()
      #expect(try await reader.meta("test-0") == "written")
      #expect(try await reader.meta("test-1") == nil)
      #expect(try await reader.meta("test-2") == nil)
      #expect(try await reader.meta("test-3") == "written")
      #expect(try await readAll(reader).ticks.count == 2_000)
      try await reader.close()
    }
  }

  @Test func `a writer that goes round in a circle is told from one that waits`() async throws {
    try await withLog { log, _ in
      let isOver = Shared(false)
      let circle = Task { try await log.write { _ in while !isOver.current {} } }
      #expect(try await eventually { (log.busyFor?.processorTime ?? .zero) > .milliseconds(100) })
      isOver.withLock { $0 = true }
      try await circle.value
      isOver.withLock { $0 = false }
      let waiting = Task { try await log.write { _ in while !isOver.current { poll(nil, 0, 20) } } }
      #expect(try await eventually { (log.busyFor?.time ?? .zero) > .milliseconds(100) })
      let work = try #require(log.busyFor)
      #expect(work.processorTime < work.time / 2)
      isOver.withLock { $0 = true }
      try await waiting.value
    }
  }

  @Test func `a patient write is durable with the next ticks, or when it is hurried`() async throws {
    var options = TickLog.Options.make()
    options.limits.patience = .seconds(3_600)
    try await withTemporaryFolder { folder in
      let log = try await TickLog.open(
        path: folder + "/ticks.db", options: options, logger: Logger(label: "test"))
      func write(_ key: String) -> Task<Void, any Error> {
        Task { try await log.write(urgency: .patient) { try $0.setMeta(key, "written") } }
      }
      let first = write("test-1")
      try await log.append(ticks(1))
      // It may have come after those ticks.
      try await log.append(ticks(1, from: 2))
      try await first.value
      let second = write("test-2")
      let hurrying = Task {
        while !Task.isCancelled {
          log.hurry()
          await Task.yield()
        }
      }
      try await second.value
      hurrying.cancel()
      await hurrying.value
      // What was hurried before it was queued is not missed.
      let isHurried: @Sendable () -> Bool = { true }
      try await log.write(urgency: .patient, isHurried: isHurried) { try $0.setMeta("test-3", "written") }
      try await log.close()
    }
  }

  @Test func `the body sees the ticks of its request and returns its result`() async throws {
    try await withLog { log, _ in
      try await log.append(ticks(2)) { transaction in
        let count = try transaction.connection.int("SELECT count(*) FROM ticks")
        #expect(count == 2)
      }
      #expect(try await log.write { _ in 42 } == 42)
      await #expect(throws: Refusal()) { try await log.write { _ in throw Refusal() } }
    }
  }

  private let plan = BatchPlan(
    consumer: ConsumerName(rawValue: "s3"), range: offsets(1...10), destination: "{\"bucket\":\"b\"}",
    bucket: "b", key: "dt=1/x \"y\".jsonl.gz", rows: 9, sha256: "aa")

  private func enabled(_ log: TickLog) async throws {
    _ = try await log.enable(
      [ConsumerRequest(name: plan.consumer, destination: plan.destination)], acceptDestinations: false,
      logger: silent)
  }

  @Test func `a plan and its consumer move together or not at all`() async throws {
    let plan = plan
    try await withLog { log, _ in
      try await enabled(log)
      try await log.append(ticks(20))
      let reader = try await log.makeReader()
      try await log.write { try $0.plan(plan) }
      #expect(try await reader.openPlans(of: plan.consumer) == [plan])
      await #expect(throws: Refusal()) {
        try await log.write { transaction in
          try transaction.markShipped(plan)
          try transaction.commit(plan.consumer, next: Offset(rawValue: 11))
          throw Refusal()
        }
      }
      #expect(try await reader.consumers().first?.next == .first)
      #expect(try await reader.openPlans(of: plan.consumer) == [plan])
      try await log.write { transaction in
        try transaction.markShipped(plan)
        try transaction.commit(plan.consumer, next: Offset(rawValue: 11), expired: 3)
      }
      let consumer = try #require(try await reader.consumers().first)
      #expect(consumer.next == Offset(rawValue: 11))
      #expect(consumer.expired == 3)
      #expect(try await reader.openPlans(of: plan.consumer) == [])
      #expect(try await reader.plan(of: plan.consumer, covering: .first)?.state == .shipped)
      try await reader.close()
    }
  }

  @Test func `a consumer that is not there cannot commit`() async throws {
    try await withLog { log, _ in
      let error = try await logError {
        try await log.write { try $0.commit(ConsumerName(rawValue: "s4"), next: .first) }
      }
      #expect(error.code == .notFound)
      #expect(error.description.contains("s4"))
    }
  }

  @Test func `planning anew keeps every hash range and key`() async throws {
    let plan = plan
    try await withLog { log, _ in
      let reader = try await log.makeReader()
      try await log.write { try $0.plan(plan) }
      try await log.write { try $0.replan(plan, rows: 8, sha256: "bb") }
      var known = try #require(try await reader.plan(of: plan.consumer, covering: Offset(rawValue: 10)))
      #expect((known.range, known.key, known.rows) == (plan.range, plan.key, 8))
      #expect(known.sha256 == "bb")
      #expect(known.earlierSHA256 == ["aa"])
      let second = known
      try await log.write { try $0.replan(second, rows: 9, sha256: "aa") }
      known = try #require(try await reader.plan(of: plan.consumer, covering: .first))
      #expect(known.sha256 == "aa")
      #expect(known.earlierSHA256 == ["bb"])
      #expect(known.wasEverPlanned(sha256: "aa") && known.wasEverPlanned(sha256: "bb"))
      #expect(!known.wasEverPlanned(sha256: "cc"))
      let third = known
      try await log.write { try $0.markShipped(third) }
      let error = try await logError { try await log.write { try $0.replan(third, rows: 1, sha256: "cc") } }
      #expect(error.code == .notFound)
      let removal = try await logError { try await log.write { try $0.removePlan(third) } }
      #expect(removal.code == .notFound)
      try await reader.close()
    }
  }

  @Test func `plans of one consumer never overlap`() async throws {
    let plan = plan
    try await withLog { log, _ in
      var middle = plan
      middle.range = offsets(11...20)
      let planned = middle
      try await log.write { try $0.plan(planned) }
      for range in [11...20, 1...11, 20...30, 12...13, 1...30] as [ClosedRange<Int64>] {
        var other = planned
        other.range = offsets(range)
        other.key = "other"
        let overlapping = other
        let error = try await logError { try await log.write { try $0.plan(overlapping) } }
        #expect(error.code == .alreadyPlanned)
      }
      var elsewhere = planned
      elsewhere.consumer = ConsumerName(rawValue: "local-s3")
      let others = elsewhere
      try await log.write { try $0.plan(others) }
      for range in [1...10, 21...30] as [ClosedRange<Int64>] {
        var next = planned
        next.range = offsets(range)
        let free = next
        try await log.write { try $0.plan(free) }
      }
      try await log.write { try $0.removePlan(planned) }
      try await log.write { try $0.plan(planned) }
    }
  }

  @Test func `plans are found by offset`() async throws {
    let plan = plan
    try await withLog { log, _ in
      let reader = try await log.makeReader()
      #expect(try await reader.highestPlanned(of: plan.consumer) == .zero)
      var plans: [BatchPlan] = []
      for range in [1...10, 11...11, 15...20] as [ClosedRange<Int64>] {
        var next = plan
        next.range = offsets(range)
        next.key = "\(range)"
        plans.append(next)
      }
      let all = plans
      try await log.write { transaction in for plan in all { try transaction.plan(plan) } }
      try await log.write { try $0.markShipped(all[1]) }
      func covering(_ offset: Int64) async throws -> String? {
        try await reader.plan(of: plan.consumer, covering: Offset(rawValue: offset))?.key
      }
      func from(_ offset: Int64) async throws -> String? {
        try await reader.plan(of: plan.consumer, from: Offset(rawValue: offset))?.key
      }
      for (offset, key) in [
        (0, nil), (1, "1...10"), (10, "1...10"), (11, "11...11"), (12, nil), (20, "15...20"),
        (21, nil),
      ] as [(Int64, String?)] {
        #expect(try await covering(offset) == key, "\(offset)")
      }
      for (offset, key) in [(0, "1...10"), (2, "11...11"), (12, "15...20"), (16, nil)] as [(Int64, String?)] {
        #expect(try await from(offset) == key, "\(offset)")
      }
      #expect(try await reader.openPlans(of: plan.consumer).map(\.key) == ["1...10", "15...20"])
      #expect(try await reader.highestPlanned(of: plan.consumer) == Offset(rawValue: 20))
      #expect(try await reader.openPlans(of: ConsumerName(rawValue: "local-s3")) == [])
      try await reader.close()
    }
  }

  @Test func `meta holds texts and lists`() async throws {
    try await withLog { log, _ in
      let list = ["a\"b\\", "é€😀\n\u{1}", "", "x/y"]
      try await log.write { transaction in
        try transaction.setMeta("text", "1")
        try transaction.setMeta("text", "two")
        try transaction.setMetaList("list", list)
        try transaction.setMeta("gone", "x")
        try transaction.removeMeta("gone")
      }
      let reader = try await log.makeReader()
      #expect(try await reader.meta("text") == "two")
      #expect(try await reader.metaList("list") == list)
      #expect(try await reader.meta("gone") == nil)
      #expect(try await reader.metaList("gone") == nil)
      try await reader.close()
    }
  }

  @Test func `of the feed's dead letters the newest ten thousand are kept`() async throws {
    let clock = ManualWallClock(someTime)
    try await withLog(options: .make(clock: clock)) { log, _ in
      try await log.write { transaction in
        try transaction.add(
          DeadLetter(
            offset: .first, consumer: ConsumerName(rawValue: "s3"), cause: "refused", attempts: 2,
            payload: [0xFF]))
      }
      for round in 0..<11 {
        let rejected = (0..<1_000).map {
          RejectedInput(payload: Array("\(round * 1_000 + $0)".utf8), cause: "c")
        }
        #expect(try await log.append(TickBatch(), rejected: rejected) == nil)
      }
      let reader = try await log.makeReader()
      let ofFeed = "FROM dead_letters WHERE consumer = 'feed'"
      #expect(
        try await reader.text("SELECT count(*) || ' ' || count(DISTINCT payload) \(ofFeed)") == "10000 10000")
      #expect(try await reader.text("SELECT CAST(payload AS TEXT) \(ofFeed) ORDER BY id LIMIT 1") == "1000")
      #expect(
        try await reader.text("SELECT CAST(payload AS TEXT) || created_at \(ofFeed) ORDER BY id DESC LIMIT 1")
          == "10999\(someTime)")
      #expect(try await reader.text("SELECT count(offset) \(ofFeed)") == "0")
      #expect(
        try await reader.text(
          "SELECT offset || cause || attempts || hex(payload) FROM dead_letters WHERE consumer = 's3'")
          == "1refused2FF")
      try await reader.close()
    }
  }
}
