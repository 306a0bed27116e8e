import AWS
import Base
import Foundation
import ShippingFixtures
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct FleetReporterTests {
  private func note(_ rig: ShippingRig, _ store: ScriptedStore) async throws -> LogReport {
    let key = "p/_logs/\(try await rig.reading { try await $0.logID() }).json"
    return try #require(try LeaseNote(json: store.notes[key] ?? []).report)
  }

  private func shipping(_ rig: ShippingRig, _ store: ScriptedStore, share: ProcessIdentity.Share = .all)
    -> Shipping
  {
    Shipping(
      rig.shipping(to: store).destinations,
      process: ProcessIdentity(host: "host-1", version: "9.9", share: share))
  }

  @Test func `the note says how log and process are`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      _ = try await rig.log.beginFeed(
        streams: ["btcusdt@test"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
      try await rig.log.append(ticks(25))
      try await rig.drain(shipping(rig, store, share: .shard("2/5")))
      let report = try await note(rig, store)
      #expect(report.host == "host-1" && report.version == "9.9" && report.shard == "2/5")
      #expect(report.feed == .running)
      #expect(report.head == 25)
      #expect(report.consumers == ["s3": .init(lag: 0, ageSeconds: 0, held: nil, mayWaitSeconds: 30)])
      #expect(report.streams == .init(count: 1, sha256: ListedStreams.hash(of: ["btcusdt@test"])))
      #expect(report.firstTick == NoteTime(someTime + 1_000))
      #expect(report.lastTick == NoteTime(someTime + 25_000))
      #expect(report.coveredUntil == NoteTime(someTime + 25_000))
      let id = try await rig.reading { try await $0.logID() }
      let record = try ListedStreams(json: store.notes["p/_logs/\(id).streams.json"] ?? [])
      #expect(record.streams.map(\.name) == ["btcusdt@test"])
      #expect(record.streams.map(\.from) == [NoteTime(rig.clock.wall)])
    }
  }

  @Test func `a process that only ships leaves the share as it was said`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      for (number, (share, shard))
        in ([(.shard("2/5"), "2/5"), (.none, "2/5"), (.all, nil)]
        as [(ProcessIdentity.Share, String?)]).enumerated()
      {
        try await rig.log.append(ticks(1, from: number + 1))
        try await rig.drain(shipping(rig, store, share: share))
        #expect(try await note(rig, store).shard == shard)
      }
    }
  }

  @Test func `nothing is covered beyond what is delivered or the beginning of a gap that is not told`()
    async throws
  {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.log.append(ticks(25))
      try await rig.drain(shipping(rig, store))
      try await rig.log.append(ticks(5, from: 26))
      let reading = try await rig.log.makeReader()
      let reporter = FleetReporter(
        consumer: .s3, logID: try await reading.logID(), process: .unknown, settings: .test(), store: store,
        reader: reading, clock: rig.clock.shipping)
      #expect(await reporter.next()?.coveredUntil == NoteTime(someTime + 26_000 - 1))
      try await rig.log.write {
        _ = try $0.openGap(startedAt: someTime + 9_000, cause: .closed, streams: ["btcusdt@test"])
      }
      #expect(await reporter.next()?.coveredUntil == NoteTime(someTime + 9_000))
      try await reading.close()
    }
  }

  @Test func `what matters is said within a minute, all else every five`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let key = "p/_logs/\(try await rig.reading { try await $0.logID() }).json"
      let written = { @Sendable in store.calls.count { $0 == .writeNote(key) } }
      try await rig.log.append(ticks(10))
      try await rig.beside(shipping(rig, store)) {
        try await expectEventually { try await rig.next(.s3) == offset(11) }
        @Sendable func minute() async throws {
          rig.clock.advance(by: .seconds(60))
          try await expectEventually { rig.clock.waiting == [.seconds(60)] }
        }
        try await expectEventually { rig.clock.waiting == [.seconds(60)] }
        for _ in 1...3 { try await minute() }
        #expect(written() == 1)
        _ = try await rig.log.beginFeed(
          streams: ["a@trade"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
        try await minute()
        #expect(written() == 2)
        for _ in 1...4 { try await minute() }
        #expect(written() == 2)
        // Nothing has happened: a living log says so all the same.
        try await minute()
        #expect(written() == 3)
      }
    }
  }

  /// Whoever reads a note must find the list that it speaks of.
  @Test func `a list is there before the note that speaks of it, at the start and at each change`()
    async throws
  {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let memory = AttemptMemory(count: 10, window: .seconds(300))
      let key = "p/_logs/\(try await rig.reading { try await $0.logID() })"
      let written = { @Sendable in store.calls.count { $0 == .writeNote(key + ".json") } }
      _ = try await rig.log.beginFeed(streams: ["a@trade"], attempts: memory)
      try await rig.log.append(ticks(10))
      try await rig.beside(shipping(rig, store)) {
        try await expectEventually { written() >= 1 }
        _ = try await rig.log.beginFeed(streams: ["a@trade", "b@trade"], attempts: memory)
        try await expectEventually {
          rig.clock.advance(by: .seconds(60))
          return written() >= 2
        }
      }
      var lists: [String] = []
      var told: [String] = []
      for note in store.writtenNotes {
        if note.key == key + ".streams.json" { lists.append(try ListedStreams(json: note.body).sha256) }
        guard note.key == key + ".json" else { continue }
        let streams = try #require(LeaseNote(json: note.body).report?.streams)
        #expect(lists.contains(streams.sha256))
        told.append(streams.sha256)
      }
      // A change may come to a note that says nothing of it yet, while it is written.
      #expect(told.first == ListedStreams.hash(of: ["a@trade"]))
      #expect(lists.last == ListedStreams.hash(of: ["a@trade", "b@trade"]))
    }
  }

  /// Whoever looks on must not hold up who works.
  @Test func `a store that never takes the list of streams gets objects, gaps and note all the same`()
    async throws
  {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      _ = try await rig.log.beginFeed(
        streams: ["a@trade"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
      try await rig.log.append(ticks(25))
      let isRefused: @Sendable (ScriptedStore.Call) async throws -> Void = { call in
        switch call {
        case .writeNote(let key) where key.hasSuffix(".streams.json"),
          .readNote(let key) where key.hasSuffix(".streams.json"):
          throw AWSError.answer(403, .permanent)
        default: break
        }
      }
      store.hook(before: isRefused)
      #expect(try await rig.drain(shipping(rig, store)).next == offset(26))
      // A change of what matters is still told within a minute, and another's token still looked for.
      try await rig.beside(shipping(rig, store)) {
        try await rig.log.append(ticks(10, from: 26))
        try await expectEventually { try await rig.next(.s3) == offset(36) }
        try await rig.log.write {
          _ = try $0.openGap(startedAt: someTime, cause: .closed, streams: ["a@trade"])
        }
        try await expectEventually {
          rig.clock.advance(by: .seconds(60))
          return try await note(rig, store).openGaps.count == 1
        }
      }
      #expect(!store.notes.keys.contains { $0.hasSuffix(".streams.json") })
      #expect(
        rig.logs.messages(.warning).contains { $0.hasPrefix("could not write which streams this log has") })
    }
  }

  @Test func `the list of streams is written when it changes, and each day`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let memory = AttemptMemory(count: 10, window: .seconds(300))
      let written = { @Sendable in
        store.calls.count {
          if case .writeNote(let key) = $0 { key.hasSuffix(".streams.json") } else { false }
        }
      }
      _ = try await rig.log.beginFeed(streams: ["a@trade"], attempts: memory)
      try await rig.log.append(ticks(10))
      try await rig.beside(shipping(rig, store)) {
        try await expectEventually { written() == 1 }
        _ = try await rig.log.beginFeed(streams: ["a@trade", "b@trade"], attempts: memory)
        try await expectEventually {
          rig.clock.advance(by: .seconds(60))
          return written() == 2
        }
        // A lifecycle rule has taken it.
        let key = try #require(store.notes.keys.first { $0.hasSuffix(".streams.json") })
        let before = try ListedStreams(json: store.notes[key] ?? []).streams
        store.removeNote(key)
        try await expectEventually {
          rig.clock.advance(by: .seconds(3_600))
          return written() >= 3
        }
        #expect(try ListedStreams(json: store.notes[key] ?? []).streams == before)
      }
    }
  }

  @Test func `the list tells when the first tick of a stream came, or that none does`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let memory = AttemptMemory(count: 10, window: .seconds(300))
      @Sendable func list() throws -> [ListedStreams.Entry] {
        let key = store.notes.keys.first { $0.hasSuffix(".streams.json") }
        return try ListedStreams(json: key.flatMap { store.notes[$0] } ?? []).streams
      }
      let (since, second) = (rig.clock.wall, Int64(1_000_000))
      @Sendable func append(_ stream: String, after seconds: Int64) async throws {
        var batch = TickBatch()
        batch.append(receivedAt: since + seconds * second, eventTime: nil, stream: stream, payload: "{}")
        try await rig.log.append(batch)
      }
      _ = try await rig.log.beginFeed(streams: ["a@trade", "b@trade"], attempts: memory)
      try await append("a@trade", after: 3)
      try await append("a@trade", after: 4)
      try await rig.beside(shipping(rig, store)) {
        @Sendable func waitUntilTold(_ first: [Int64?]) async throws {
          try await expectEventually {
            rig.clock.advance(by: .seconds(60))
            return try list().map(\.firstTick) == first.map { $0.map { NoteTime(since + $0 * second) } }
          }
        }
        try await expectEventually {
          rig.clock.advance(by: .seconds(1))
          return store.notes.keys.contains { $0.hasSuffix(".streams.json") }
        }
        try await waitUntilTold([3, nil])
        try await append("a@trade", after: 599)
        // Long enough for what is quiet.
        try await append("a@trade", after: 600)
        try await waitUntilTold([3, 600])
        // Away and back within a minute.
        let changed = since + 700 * second
        rig.clock.setWall(changed)
        _ = try await rig.log.beginFeed(streams: ["b@trade"], attempts: memory)
        _ = try await rig.log.beginFeed(streams: ["a@trade", "b@trade"], attempts: memory)
        try await append("a@trade", after: 707)
        try await waitUntilTold([3, 707, 600])
        #expect(try list().map(\.to) == [NoteTime(changed), nil, nil])
      }
    }
  }

  @Test func `a new process finds the first tick of a stream, and not one from before it was in the list`()
    async throws
  {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let (since, second) = (rig.clock.wall, Int64(1_000_000))
      var batch = TickBatch()
      for seconds in -300..<0 {
        batch.append(
          receivedAt: since + Int64(seconds) * second, eventTime: nil, stream: "a@trade", payload: "{}")
      }
      try await rig.log.append(batch)
      _ = try await rig.log.beginFeed(
        streams: ["a@trade"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
      try await rig.drain(shipping(rig, store))
      let key = try #require(store.notes.keys.first { $0.hasSuffix(".streams.json") })
      #expect(try ListedStreams(json: store.notes[key] ?? []).streams.map(\.firstTick) == [nil])
      batch = TickBatch()
      for seconds: Int64 in [9, 2, 5] {
        batch.append(receivedAt: since + seconds * second, eventTime: nil, stream: "a@trade", payload: "{}")
      }
      try await rig.log.append(batch)
      try await rig.drain(shipping(rig, store))
      let told = try ListedStreams(json: store.notes[key] ?? []).streams.map(\.firstTick)
      #expect(told == [NoteTime(since + 2 * second)])
      try await withReporter(rig, store) { _, reader in
        var found: Offset
        found = try await reader.offset(near: since - 100 * second, through: offset(303))
        #expect(found == offset(201))
        found = try await reader.offset(near: since + 100 * second, through: offset(303))
        #expect(found == offset(304))
        found = try await reader.offset(near: .min, through: offset(303))
        #expect(found == .first)
      }
    }
  }

  @Test func `nothing is covered beyond what the feed vouches for, where no gap speaks`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      _ = try await rig.log.beginFeed(
        streams: ["a@trade", "b@trade"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
      try await rig.log.append(ticks(25))
      try await rig.drain(shipping(rig, store))
      try await rig.log.write {
        try $0.connection.setFeedSlots([0: ["a@trade"], 1: ["b@trade"]], at: someTime)
        try $0.setWatermark(of: 0, to: someTime + 20_000)
        try $0.setWatermark(of: 1, to: someTime + 4_000)
      }
      try await withReporter(rig, store) { reporter, _ in
        #expect(await reporter.next()?.coveredUntil == NoteTime(someTime + 4_000))
        // Its streams are in a gap that is told.
        try await rig.log.write {
          _ = try $0.openGap(startedAt: someTime + 4_000, cause: .stale, streams: ["b@trade"])
          try $0.setMeta("gaps s3", #"{"destination":"d","log_id":"l","next":2,"open":[1]}"#)
        }
        #expect(await reporter.next()?.coveredUntil == NoteTime(someTime + 20_000))
      }
    }
  }

  /// An object that tells of it as open claims less than is there.
  @Test(arguments: [(Gap.Cause.closed, Int64(25_000)), (.sequence, 3_000), (.diskFull, 3_000)])
  func `a gap whose end is not told yet bounds what is covered only if it was told with an earlier one`(
    cause: Gap.Cause, covered: Int64
  ) async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.log.append(ticks(25))
      try await rig.drain(shipping(rig, store))
      try await rig.log.write {
        _ = try $0.addGap(
          startedAt: someTime + 3_000, endedAt: someTime + 9_000, cause: cause, streams: ["btcusdt@test"])
        try $0.setMeta("gaps s3", #"{"destination":"d","log_id":"l","next":2,"open":[1]}"#)
      }
      try await withReporter(rig, store) { reporter, _ in
        #expect(await reporter.next()?.coveredUntil == NoteTime(someTime + covered))
      }
    }
  }

  @Test func `what the consumer has passed without delivering it is said`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.log.append(ticks(25))
      try await rig.drain(shipping(rig, store))
      try await withReporter(rig, store) { reporter, _ in
        #expect(await reporter.next()?.passedOver == nil)
        #expect(await !reporter.hasNews())
        try await rig.log.write {
          try $0.skip(offsets(3...7), of: .s3, why: "seek")
          try $0.skip(offsets(3...7), of: .dynamodb, why: "seek")
          try $0.add(
            DeadLetter(offset: offset(9), consumer: .s3, cause: "damaged", attempts: 0, payload: []))
        }
        #expect(await reporter.hasNews())
        #expect(await reporter.next()?.passedOver == .init(ticks: 6, newest: NoteTime(rig.clock.wall)))
      }
    }
  }

  @Test func `a log that cannot be read leaves the report as it was`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.log.append(ticks(25))
      try await rig.drain(shipping(rig, store))
      try await withReporter(rig, store) { reporter, reader in
        let report = await reporter.next()
        #expect(report?.head == 25)
        try await reader.close()
        #expect(await reporter.next() == report)
        #expect(await !reporter.hasNews())
      }
    }
  }

  private func withReporter(
    _ rig: ShippingRig, _ store: ScriptedStore, _ body: (FleetReporter, LogReader) async throws -> Void
  ) async throws {
    let reader = try await rig.log.makeReader()
    try await body(
      FleetReporter(
        consumer: .s3, logID: try await reader.logID(), process: .unknown, settings: .test(), store: store,
        reader: reader, clock: rig.clock.shipping), reader)
    try await reader.close()
  }

  @Test func `the first tick is known after it was trimmed, and by a new process`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.log.append(ticks(25))
      try await rig.drain(shipping(rig, store))
      try await rig.log.write { try $0.connection.setMeta(.trimmed, offset(20)) }
      try await rig.log.append(ticks(5, from: 26))
      try await rig.drain(shipping(rig, store))
      #expect(try await note(rig, store).head == 30)
      #expect(try await note(rig, store).firstTick == NoteTime(someTime + 1_000))
    }
  }

  @Test func `a note of an earlier version is read, and one of a later version too`() throws {
    let old =
      #"{"claim":"92d41e3a5b7f6c08","highest_planned_offset":271,"log_id":"dec139d3c960334f","written_at":"t"}"#
    #expect(try LeaseNote(json: Array(old.utf8)).report == nil)
    let strange = #"{"head":"x","highest_planned_offset":271,"log_id":"dec139d3c960334f","written_at":"t"}"#
    let note = try LeaseNote(json: Array(strange.utf8))
    #expect(note.report == nil && note.highestPlannedOffset == 271)
    #expect(String(decoding: try LeaseNote(json: Array(old.utf8)).json(), as: UTF8.self) == old)
  }

  @Test func `the place alone tells of its logs, their streams and gaps`() async throws {
    try await ShippingRig.with { rig in
      let destination = try ObjectDestination.inFolder(rig.folder, .test())
      _ = try await rig.log.beginFeed(
        streams: ["a@trade"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
      try await rig.log.append(ticks(10))
      try await rig.log.write {
        _ = try $0.addGap(
          startedAt: someTime, endedAt: someTime + 5_000, cause: .closed, streams: ["a@trade"])
      }
      try await rig.drain(Shipping([destination]))
      guard case .objects(let objects) = destination.inventory else { return }
      let reading = try await FleetReader(objects).read(.min ... .max)
      let log = try #require(reading.logs.first)
      #expect(reading.logs.count == 1 && reading.unreadable == [])
      #expect(log.streams?.streams.map(\.name) == ["a@trade"])
      #expect(log.gaps == [ToldGap(from: someTime, to: someTime + 5_000, streams: ["a@trade"])])
      #expect(try await FleetReader(objects).read(.min...someTime - 1).logs.first?.gaps == [])
      #expect(try await FleetReader(objects).read(someTime + 5_001 ... .max).logs.first?.gaps == [])
      // What others have put there, and what is broken.
      let notes = "\(rig.folder)/objects/p/_logs"
      try Data("{".utf8).write(to: URL(filePath: notes + "/0123456789abcdef.json"))
      try Data("{}".utf8).write(to: URL(filePath: notes + "/doctor.json"))
      #expect(
        try await FleetReader(objects).read(.min ... .max).unreadable == [
          "p/_logs/0123456789abcdef.json cannot be understood"
        ])
    }
  }

  @Test func `the note says how long gaps were and since when one is open, of those that are trimmed, too`()
    async throws
  {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.log.append(ticks(1))
      try await rig.log.write {
        for length: Int64 in [5_000, 7_000_100, 1] {
          _ = try $0.addGap(startedAt: someTime, endedAt: someTime + length, cause: .closed, streams: ["a"])
        }
      }
      try await rig.drain(shipping(rig, store))
      #expect(try await note(rig, store).gapBounds == .init(longestSeconds: 7.001, oldestOpen: nil))
      try await rig.log.write {
        try $0.connection.run("DELETE FROM gaps WHERE id < 3")
        _ = try $0.openGap(startedAt: someTime - 1, cause: .closed, streams: ["a"])
      }
      try await rig.log.append(ticks(1, from: 2))
      try await rig.drain(shipping(rig, store))
      let kept = LogReport.GapBounds(longestSeconds: 7.001, oldestOpen: NoteTime(someTime - 1))
      #expect(try await note(rig, store).gapBounds == kept)
      // Nobody knows any more how long those were.
      for key in store.notes.keys where key.contains("/_logs/") { store.removeNote(key) }
      try await rig.log.append(ticks(1, from: 3))
      try await rig.drain(shipping(rig, store))
      #expect(try await note(rig, store).gapBounds == nil)
    }
  }

  @Test func `a day is asked for, and the gaps of a year are not read`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      _ = try await rig.log.beginFeed(
        streams: ["a@trade"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
      try await rig.log.append(ticks(10))
      let hour: Int64 = 3_600_000_000
      try await rig.log.write {
        for age: Int64 in 1...50 {
          _ = try $0.addGap(
            startedAt: someTime - age * hour, endedAt: someTime - age * hour + 1, cause: .closed,
            streams: ["a@trade"])
        }
        try $0.connection.setMeta(.feed, "stopped")
      }
      let shipping = shipping(rig, store)
      try await rig.drain(shipping)
      guard case .objects(let objects) = shipping.destinations[0].inventory else { return }
      rig.clock.advance(by: .seconds(1))
      let before = store.calls.count
      let reading = try await FleetReader(objects).read(someTime - 40 * hour...someTime - 39 * hour)
      #expect(reading.logs.first?.gaps.count == 2)
      let read = store.calls[before...].filter {
        if case .readNote(let key) = $0 { key.contains("/_gaps/") } else { false }
      }
      #expect(read.count <= 4)
      #expect(store.calls[before...].count { if case .list = $0 { true } else { false } } == 2)
    }
  }

  @Test func `what is listed and cannot be read is no word that nothing is missing`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      _ = try await rig.log.beginFeed(
        streams: ["a@trade"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
      try await rig.log.append(ticks(10))
      try await rig.log.write {
        _ = try $0.addGap(
          startedAt: someTime, endedAt: someTime + 5_000, cause: .closed, streams: ["a@trade"])
      }
      let shipping = shipping(rig, store)
      try await rig.drain(shipping)
      guard case .objects(let objects) = shipping.destinations[0].inventory else { return }
      let reader = FleetReader(objects)
      #expect(try await reader.read(.min ... .max).unreadable == [])
      for key in store.notes.keys { store.archive(key) }
      let reading = try await reader.read(.min ... .max)
      #expect(reading.logs.isEmpty && reading.unreadable.count == 2)
      // A note under another log's name is no word of that log.
      let key = try #require(
        store.notes.keys.first { $0.hasSuffix(".json") && !$0.hasSuffix(".streams.json") })
      let other = "p/_logs/0123456789abcdef.json"
      store.setNote(other, String(decoding: store.notes[key] ?? [], as: UTF8.self))
      #expect(try await reader.read(.min ... .max).unreadable.contains("\(other) cannot be understood"))
    }
  }
}
