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
      #expect(report.consumers == ["s3": .init(lag: 0, ageSeconds: 0, held: nil)])
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
        reader: reading, now: { rig.clock.wall })
      #expect(try await reporter.next()?.coveredUntil == NoteTime(someTime + 26_000 - 1))
      try await rig.log.write {
        _ = try $0.openGap(startedAt: someTime + 9_000, cause: .closed, streams: ["btcusdt@test"])
      }
      #expect(try await reporter.next()?.coveredUntil == NoteTime(someTime + 9_000))
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

  @Test func `a store that refuses the list of streams gets the note after it, not before`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      _ = try await rig.log.beginFeed(
        streams: ["a@trade"], attempts: AttemptMemory(count: 10, window: .seconds(300)))
      try await rig.log.append(ticks(10))
      let refused = Counter()
      store.hook(before: { call in
        if case .writeNote(let key) = call, key.hasSuffix(".streams.json"), refused.next() <= 3 {
          throw AWSError.answer(503, .transient)
        }
      })
      try await rig.drain(shipping(rig, store))
      let writes = store.calls.compactMap {
        if case .writeNote(let key) = $0 { key.hasSuffix(".streams.json") } else { nil }
      }
      #expect(writes.prefix(5) == [true, true, true, true, false])
    }
  }

  @Test func `the first tick is known after it was trimmed, and by a new process`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      try await rig.log.append(ticks(25))
      try await rig.drain(shipping(rig, store))
      try await rig.log.write { try $0.connection.setMeta(.trimmed, offset(20)) }
      try await rig.drain(shipping(rig, store))
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
      let reading = try await FleetReader(objects).read(until: .max)
      let log = try #require(reading.logs.first)
      #expect(reading.logs.count == 1 && reading.unreadable == [])
      #expect(log.streams?.streams.map(\.name) == ["a@trade"])
      #expect(log.gaps == [ToldGap(from: someTime, to: someTime + 5_000, streams: ["a@trade"])])
      #expect(try await FleetReader(objects).read(until: someTime - 1).logs.first?.gaps == [])
      // What others have put there, and what is broken.
      let notes = "\(rig.folder)/objects/p/_logs"
      try Data("{".utf8).write(to: URL(filePath: notes + "/0123456789abcdef.json"))
      try Data("{}".utf8).write(to: URL(filePath: notes + "/doctor.json"))
      #expect(
        try await FleetReader(objects).read(until: .max).unreadable == ["p/_logs/0123456789abcdef.json"])
    }
  }
}
