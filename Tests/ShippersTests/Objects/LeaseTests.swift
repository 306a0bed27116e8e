import AWS
import Base
import Foundation
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct LeaseTests {
  private func key(_ rig: ShippingRig) async throws -> String {
    "p/_logs/\(try await rig.reading { try await $0.logID() }).json"
  }

  private func note(_ logID: String, _ highest: Int) -> String {
    "{\"highest_planned_offset\":\(highest),\"log_id\":\"\(logID)\",\"written_at\":\"t\"}"
  }

  private func highest(_ note: [UInt8]?) throws -> Int {
    Int(try LeaseNote(json: note ?? []).highestPlannedOffset)
  }

  /// Runs while another log of the same `log_id` is at work, and expects that nothing is planned until the
  /// log is adopted.
  private func expectHeld(
    _ rig: ShippingRig, _ store: ScriptedStore, why: LogIdentity.Objection, planned: [String] = ["0"],
    _ sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    let puts = store.puts
    let heldKey = try await key(rig).replacing(".json", with: ".held.json")
    let notes = store.notes.filter { $0.key != heldKey }
    for _ in 1...2 {
      // Held again after a restart: a held log plans nothing that would pass the note.
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually(sourceLocation: sourceLocation) {
          rig.clock.waiting.count >= 2
        }
        let calls = store.calls.count
        try await expectEventually(sourceLocation: sourceLocation) {
          // What is looked at again may only now begin to wait.
          rig.clock.advance(by: .seconds(60))
          return store.calls.count > calls
        }
      }
      #expect(store.puts == puts, sourceLocation: sourceLocation)
      // Beside the other's note, it says that it is held.
      var found = store.notes
      let word = try found.removeValue(forKey: heldKey).map { try HeldNote(json: $0) }
      #expect(word?.why == why.rawValue, sourceLocation: sourceLocation)
      #expect(found == notes, sourceLocation: sourceLocation)
      #expect(
        try await rig.query("SELECT count(*) FROM batches") == planned, sourceLocation: sourceLocation)
    }
    let held = try #require(rig.logs.entries.first { $0.level == .error }, sourceLocation: sourceLocation)
    #expect(held.message.contains("tickwal adopt"), sourceLocation: sourceLocation)
    #expect(held.metadata["why"] == "\(why.rawValue)", sourceLocation: sourceLocation)
    let head = rig.log.head
    _ = try await rig.log.adopt()
    #expect(
      try await rig.drain(rig.shipping(to: store)).next == head.next, sourceLocation: sourceLocation)
    // Nothing of the other log's was touched.
    for (key, note) in notes { #expect(store.notes[key] == note, sourceLocation: sourceLocation) }
  }

  @Test func `the note is read and claimed before anything is planned and written at the end`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      let key = try await key(rig)
      store.hook(before: { (call) async throws in
        guard call == .writeNote(key), store.puts.isEmpty else { return }
        #expect(try await rig.query("SELECT count(*) FROM batches") == ["0"])
        #expect(try await rig.query("SELECT count(*) FROM meta WHERE key = 'claims'") == ["1"])
      })
      try await rig.drain(rig.shipping(to: store))
      #expect(Array(store.calls.prefix(3)) == [.readNote(key), .list("p/dt="), .writeNote(key)])
      #expect(store.calls.last == .writeNote(key))
      let note = try LeaseNote(json: store.notes[key] ?? [])
      #expect(note.highestPlannedOffset == 25)
      #expect(note.logID == (try await rig.reading { try await $0.logID() }).rawValue)
      #expect(note.writtenAt == "2026-11-21T05-13-20.123456Z")
      let tokens = try FencingTokens(text: try await rig.reading { try await $0.meta(FencingTokens.metaKey) })
      #expect(tokens.all == [try #require(note.token)])
    }
  }

  @Test func `a store that is down at the start leaves nothing planned`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      let reads = Counter()
      store.hook(before: { call in
        guard case .readNote = call, reads.next() <= 40 else { return }
        #expect(try await rig.query("SELECT count(*) FROM batches") == ["0"])
        throw AWSError.answer(503, .transient)
      })
      let end = try await rig.drain(rig.shipping(to: store))
      #expect(end.next == offset(26))
    }
  }

  @Test func `a higher note holds until the log is adopted`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      let logID = try await rig.reading { try await $0.logID() }
      store.setNote(try await key(rig), note(logID.rawValue, 12))
      try await expectHeld(rig, store, why: .plannedFurther)
      let held = try #require(rig.logs.entries.first { $0.level == .error })
      #expect(held.metadata["planned_there"] == "12")
      #expect(held.metadata["planned_here"] == "0")
    }
  }

  /// As after a snapshot that was taken when the note was older still.
  @Test(arguments: [ObjectSettings.Layout.hive, .flat], [-500, 0, 3_600, 30 * 86_400])
  func `objects that the log has not planned hold it however old the note is`(
    layout: ObjectSettings.Layout, seconds: Int64
  ) async throws {
    try await ShippingRig.with { rig in
      let settings = ObjectSettings(folder: "p", fileName: "f", layout: layout, maximumRows: 10)
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      try await rig.drain(rig.shipping(to: store, settings))
      // The lost log has shipped on; its last note is this one.
      let logID = try await rig.reading { try await $0.logID() }
      let lost = ObjectKey.batch(
        offsets(11...20), firstReceivedAt: someTime + seconds * 1_000_000, logID: logID, isCompressed: false,
        settings: settings)
      store.add(lost)
      store.add(lost.replacing(logID.rawValue, with: "0123456789abcdef"))
      try await rig.log.append(ticks(5, from: 11))
      try await rig.beside(rig.shipping(to: store, settings)) {
        try await expectEventually { rig.logs.messages(.error).contains { $0.contains("tickwal adopt") } }
      }
      let held = try #require(rig.logs.entries.first { $0.level == .error })
      #expect(held.metadata["why"] == "\(LogIdentity.Objection.objects.rawValue)")
      #expect(held.metadata["key"] == "\(lost)")
      #expect(try await rig.query("SELECT count(*) FROM batches") == ["1"])
      // Taken away, nothing speaks against it any more.
      store.remove(lost)
      #expect(try await rig.drain(rig.shipping(to: store, settings)).next == offset(16))
    }
  }

  /// A copy of a log that shipped, after each of both was started.
  @Test func `a log that finds another's claim is held`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      try await rig.drain(rig.shipping(to: store))
      let key = try await key(rig)
      var note = try LeaseNote(json: store.notes[key] ?? [])
      note.token = "0123456789abcdef"
      store.setNote(key, String(decoding: try note.json(), as: UTF8.self))
      try await rig.log.append(ticks(5, from: 11))
      try await expectHeld(rig, store, why: .leased, planned: ["1"])
    }
  }

  /// Two that started at the same moment: whoever has claimed last goes on.
  @Test func `a claim by another process is noticed while running and holds at once`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let key = try await key(rig)
      try await rig.log.append(ticks(10))
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually { try await rig.next(.s3) == offset(11) }
        try await expectEventually { rig.clock.waiting == [.seconds(60)] }
        var note = try LeaseNote(json: store.notes[key] ?? [])
        note.token = "0123456789abcdef"
        store.setNote(key, String(decoding: try note.json(), as: UTF8.self))
        rig.clock.advance(by: .seconds(60))
        // Without a tick that waits.
        try await expectEventually { rig.logs.messages(.error).contains { $0.contains("tickwal adopt") } }
        try await rig.log.append(ticks(10, from: 11))
        try await expectEventually { rig.clock.waiting == [.seconds(60)] }
      }
      try await expectHeld(rig, store, why: .leased, planned: ["1"])
    }
  }

  /// A process may end at any moment between its claim and its next note.
  @Test func `a log's own claims never hold it`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let key = try await key(rig)
      var first = 1
      for fails in [false, true, true, true, false, true, false] {
        try await rig.log.append(ticks(10, from: first))
        first += 10
        let reached = Latch<Void>()
        store.hook(before: { call in
          guard call == .writeNote(key), fails else { return }
          reached.set(())
          try await untilCancelled()
        })
        if fails {
          try await rig.beside(rig.shipping(to: store)) { try await reached.wait() }
        } else {
          #expect(try await rig.drain(rig.shipping(to: store)).next == rig.log.head.next)
        }
      }
      #expect(rig.logs.messages(.error) == [])
    }
  }

  /// As by a lifecycle rule that archives whatever is old, while the program was down for long.
  @Test func `a note that was archived is written anew`() async throws {
    let transport = ScriptedTransport { (_, _) in .s3Error(403, "InvalidObjectState") }
    let store = S3Store(client: S3Client(try transport.client()), bucket: "bucket")
    #expect(try await store.readNote("p/_logs/x.json") == nil)
  }

  /// Batches that were permitted go on while the permission is asked for again.
  @Test func `what this process plans meanwhile does not hold it`() async throws {
    try await ShippingRig.with { rig in
      let store = ScriptedStore()
      let logID = try await rig.reading { try await $0.logID() }
      let control = ShippingControl()
      // A hold would wait, and ends here instead.
      control.startStopping()
      let lease = Lease(
        consumer: .s3, logID: logID, settings: .test(), address: FolderAddress(folder: "/p").json,
        highestPlanned: offset(10),
        store: store, log: rig.log, receivedAt: { _ in someTime },
        attempts: Attempts(
          reporter: TroubleReporter(logger: rig.logs.logger, now: rig.clock.shipping.now), control: control,
          clock: rig.clock.shipping),
        clock: rig.clock.shipping)
      store.hook(before: { call in
        guard case .list = call else { return }
        lease.planned(offset(20))
        store.add(
          ObjectKey.batch(
            offsets(11...20), firstReceivedAt: someTime, logID: logID, isCompressed: false, settings: .test())
        )
      })
      try await lease.acquire()
      #expect(rig.logs.messages(.error) == [])
    }
  }

  @Test func `a token of one place is known in another`() {
    var tokens = FencingTokens()
    for number in 1...100 { tokens.add("a\(number)", at: "a", after: "a2") }
    tokens.add("b", at: "b", after: nil)
    // However many processes ended before their notes arrived, the one whose note is there was the log's own.
    #expect(tokens.all == Set((37...100).map { "a\($0)" } + ["a2", "b"]))
  }

  @Test(arguments: ["", "no JSON", "[]", "{\"a\":1}"])
  func `tokens that cannot be understood are said, and a place that has one is not shipped to`(text: String)
    async throws
  {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5))
      let store = ScriptedStore()
      try await rig.drain(rig.shipping(to: store))
      try await rig.log.append(ticks(5, from: 6))
      try await rig.log.write { try $0.setMeta(FencingTokens.metaKey, text) }
      try await expectHeld(rig, store, why: .unknown, planned: ["1"])
      #expect(rig.logs.entries.contains { $0.message.contains("fencing tokens cannot be understood") })
    }
  }

  @Test func `tokens that cannot be understood speak against no place without one`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5))
      let store = ScriptedStore()
      try await rig.drain(rig.shipping(to: store))
      let key = try await key(rig)
      var note = try LeaseNote(json: store.notes[key] ?? [])
      note.token = nil
      store.setNote(key, String(decoding: try note.json(), as: UTF8.self))
      try await rig.log.append(ticks(5, from: 6))
      try await rig.log.write { try $0.setMeta(FencingTokens.metaKey, "no JSON") }
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(11))
      let tokens = try FencingTokens(text: try await rig.reading { try await $0.meta(FencingTokens.metaKey) })
      #expect(tokens.all == [try #require(try LeaseNote(json: store.notes[key] ?? []).token)])
    }
  }

  @Test func `tokens are kept`() throws {
    var tokens = try FencingTokens(text: nil)
    tokens.add("x", at: "{\"folder\":\"/a\"}", after: nil)
    #expect(try FencingTokens(text: try tokens.text()) == tokens)
  }

  @Test(arguments: ["", "no JSON", "{\"highest_planned_offset\":99,\"log_id\":\"x\",\"written_at\":\"t\"}"])
  func `a note that says nothing of this log holds nobody and is written anew`(text: String) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5))
      let store = ScriptedStore()
      let key = try await key(rig)
      store.setNote(key, text)
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(6))
      #expect(try highest(store.notes[key]) == 5)
    }
  }

  @Test func `a log's own note does not hold it once its plans were trimmed`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      try await rig.drain(rig.shipping(to: store))
      try await rig.log.write { try $0.connection.run("DELETE FROM batches") }
      try await rig.log.append(ticks(5, from: 26))
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(31))
    }
  }

  @Test func `the note is looked at every minute and written every five`()
    async throws
  {
    try await ShippingRig.with { rig in
      let key = try await key(rig)
      let store = ScriptedStore()
      try await rig.log.append(ticks(10))
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually { try await rig.next(.s3) == offset(11) }
        #expect(try highest(store.notes[key]) == 0)
        for minute in 1...10 {
          try await expectEventually { rig.clock.waiting == [.seconds(60)] }
          let reads = store.calls.filter { $0 == .readNote(key) }.count
          rig.clock.advance(by: .seconds(60))
          try await expectEventually { rig.clock.waiting == [.seconds(60)] }
          #expect(store.calls.filter { $0 == .readNote(key) }.count == reads + 1)
          #expect(store.calls.filter { $0 == .writeNote(key) }.count == 1 + minute / 5)
          #expect(try highest(store.notes[key]) == (minute < 5 ? 0 : 10))
        }
      }
    }
  }

  @Test func `a note that was taken away is written again`() async throws {
    try await ShippingRig.with { rig in
      let key = try await key(rig)
      let store = ScriptedStore()
      try await rig.log.append(ticks(10))
      try await rig.drain(rig.shipping(to: store))
      store.removeNote(key)
      try await rig.log.append(ticks(10, from: 11))
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(21))
      #expect(try highest(store.notes[key]) == 20)
    }
  }

  @Test func `a note that cannot be written at the end is said and does not matter`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      store.hook(before: { call in
        if case .writeNote = call, !store.puts.isEmpty { throw AWSError.answer(503, .transient) }
      })
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(11))
      #expect(rig.logs.messages(.warning).contains { $0.contains("could not note how far") })
      store.hook()
      try await rig.log.append(ticks(10, from: 11))
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(21))
    }
  }
}
