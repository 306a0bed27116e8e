import Base
import Glibc
import LogFixtures
import Synchronization
import TestSupport
import Testing

@testable import WAL

/// A volume that has what the test says.
private final class ManualVolume: Sendable {
  private let volume = Mutex(Volume(available: 900 << 20, size: 1_000 << 20))

  var now: Volume { volume.withLock { $0 } }
  func set(availableMebibytes: Int) { volume.withLock { $0.available = availableMebibytes << 20 } }
}

/// What the log does at each level, on a volume that the test makes up.
@Suite struct DiskLevelTests {
  private func withVolume<T>(
    isolation: isolated (any Actor)? = #isolation, _ consumers: [ConsumerName] = [dynamo], ballast: Int = 0,
    logs: RecordedLogs = RecordedLogs(),
    _ body: (_ log: TickLog, _ volume: ManualVolume, _ machine: ManualMachine, _ path: String) async throws ->
      T
  ) async throws -> T {
    let volume = ManualVolume()
    let machine = ManualMachine()
    var options = machine.options()
    options.volume = { _ in volume.now }
    return try await withLog(options: options, logger: logs.logger) { log, path in
      try await log.enable(consumers)
      log.startUpkeep(
        retention: anHour, disk: DiskLimits(low: .percent(15), stop: .percent(5), ballast: ballast))
      try await log.upkeepDone()
      return try await body(log, volume, machine, path)
    }
  }

  @Test func `with little room what is shipped goes whatever its age`() async throws {
    let logs = RecordedLogs()
    try await withVolume(logs: logs) { log, volume, _, _ in
      try await log.append(ticks(5_000))
      try await log.commit(dynamo, next: 4_001)
      try await log.upkeepDone()
      #expect(try await Remains(log).ticks == "1-5000")
      volume.set(availableMebibytes: 100)
      try await log.upkeepDone()
      #expect(try await Remains(log).ticks == "4001-5000")
      #expect(logs.messages(.warning).first?.contains("running full") == true)
      let reader = try await log.makeReader()
      #expect(try await reader.text("PRAGMA freelist_count") == "\(SparePages.count)")
      try await reader.close()
      // Appending goes on.
      try await log.append(ticks(10))
      volume.set(availableMebibytes: 900)
      try await log.commit(dynamo, next: 5_001)
      try await log.upkeepDone()
      #expect(try await Remains(log).ticks == "4001-5010")
      #expect(logs.messages(.notice).last?.contains("room again") == true)
    }
  }

  @Test func `where nobody ships nothing goes before its time`() async throws {
    try await withVolume([]) { log, volume, _, _ in
      try await log.append(ticks(5_000))
      volume.set(availableMebibytes: 0)
      try await log.upkeepDone()
      #expect(try await Remains(log).ticks == "1-5000")
    }
  }

  @Test func `with too little room ticks are refused, consumers go on, and a gap is written`() async throws {
    try await withVolume { log, volume, machine, _ in
      _ = try await log.beginFeed(streams: ["a@trade", "b@trade"])
      try await log.append(batch(at: machine))
      let lastData = machine.wall
      volume.set(availableMebibytes: 10)
      try await log.upkeepDone()
      #expect(log.isDiskFull)
      #expect(try await gaps(log) == nil)
      machine.pass(.seconds(1))
      let waiting = batch(at: machine)
      #expect(try !log.tryAppend(waiting) { _ in Issue.record("was refused") })
      #expect(try !log.tryAppend(TickBatch(), rejected: [RejectedInput(payload: [1], cause: "x")]) { _ in })
      let room = Latch<Void>()
      log.whenRoom { room.set(()) }
      #expect(room.value == nil)
      // Consumers and gaps are written.
      try await log.commit(dynamo, next: 2)
      #expect(try await gaps(log) == "\(lastData)-? disk_full [\"a@trade\",\"b@trade\"]")

      try await log.upkeepDone()
      machine.pass(.seconds(60))
      volume.set(availableMebibytes: 900)
      try await log.upkeepDone()
      try await room.wait()
      #expect(!log.isDiskFull)
      // What had waited is no end of the gap; what is received now is.
      try await log.append(waiting)
      #expect(try await gaps(log) == "\(lastData)-? disk_full [\"a@trade\",\"b@trade\"]")
      machine.pass(.seconds(1))
      try await log.append(batch(at: machine))
      #expect(try await gaps(log) == "\(lastData)-\(machine.wall) disk_full [\"a@trade\",\"b@trade\"]")
      // The first one was shipped, and has made room.
      #expect(try await Remains(log).ticks == "2-3")
    }
  }

  @Test func `a gap that cannot be written is said`() async throws {
    let logs = RecordedLogs()
    try await withVolume(logs: logs) { log, volume, machine, _ in
      _ = try await log.beginFeed(streams: ["a@trade"])
      try await log.write { try $0.setMeta("streams", "no list") }
      volume.set(availableMebibytes: 10)
      try await log.upkeepDone()
      #expect(try !log.tryAppend(batch(at: machine)) { _ in })
      try await log.commit(dynamo, next: 1)
      #expect(
        logs.messages(.error).contains { $0.hasPrefix("the gap of a full volume could not be written") })
    }
  }

  @Test func `a gap that is open at a kill is found by the next feed`() async throws {
    try await withVolume { log, volume, machine, path in
      _ = try await log.beginFeed(streams: ["a@trade"])
      try await log.append(batch(at: machine))
      volume.set(availableMebibytes: 10)
      try await log.upkeepDone()
      #expect(try !log.tryAppend(batch(at: machine)) { _ in })
      try await log.commit(dynamo, next: 2)
      try copyFiles(of: path, to: path + ".killed")
      let after = try await TickLog.open(path: path + ".killed", options: .make(), logger: silent)
      #expect(try await after.beginFeed(streams: ["a@trade"]).openGaps.map(\.cause) == [.diskFull])
      try await after.close()
    }
  }

  @Test func `the ballast is made and when it is gone made again`() async throws {
    try await withVolume(ballast: 200_000) { log, volume, _, path in
      let ballast = Ballast(logPath: path)
      #expect(ballast.isWhole(bytes: 196_608))
      #expect(unlink(ballast.path) == 0)
      try await log.upkeepDone()
      #expect(ballast.isWhole(bytes: 196_608))
      // Somebody has made it sparse.
      #expect(truncate(ballast.path, 0) == 0)
      #expect(truncate(ballast.path, 196_608) == 0)
      #expect(!ballast.isWhole(bytes: 196_608))
      try await log.upkeepDone()
      #expect(ballast.isWhole(bytes: 196_608))
      volume.set(availableMebibytes: 10)
      #expect(unlink(ballast.path) == 0)
      try await log.upkeepDone()
      #expect(!ballast.isWhole(bytes: 196_608))
      volume.set(availableMebibytes: 500)
      // Once the room has lasted.
      #expect(
        try await eventually {
          try await log.upkeepDone()
          return ballast.isWhole(bytes: 196_608)
        })
      // Another setting.
      log.startUpkeep(retention: anHour, disk: .off)
      try await log.upkeepDone()
      #expect(access(ballast.path, F_OK) != 0)
    }
  }

  @Test func `a ballast that cannot be made is said and harms nothing`() async throws {
    let logs = RecordedLogs()
    try await withVolume(logs: logs) { log, _, _, path in
      #expect(mkdir(path + ".ballast", 0o700) == 0)
      log.startUpkeep(
        retention: anHour, disk: DiskLimits(low: .percent(15), stop: .percent(5), ballast: 100_000))
      for _ in 0..<3 { try await log.upkeepDone() }
      #expect(logs.messages(.warning).count == 1)
      #expect(logs.messages(.warning).first?.contains("ballast") == true)
      try await log.append(ticks(10))
      #expect(rmdir(path + ".ballast") == 0)
      try await log.upkeepDone()
      #expect(Ballast(logPath: path).isWhole(bytes: 98_304))
    }
  }

  private func batch(at machine: ManualMachine) -> TickBatch {
    var batch = TickBatch()
    batch.append(receivedAt: machine.wall, eventTime: nil, stream: "a@trade", payload: "{}")
    return batch
  }

  private func gaps(_ log: TickLog) async throws -> String? {
    let reader = try await log.makeReader()
    let text = try await reader.text(
      "SELECT group_concat(started_at || '-' || coalesce(ended_at, '?') || ' ' || cause || ' ' || streams) FROM gaps"
    )
    try await reader.close()
    return text
  }
}
