import AWS
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct LogMarkerTests {
  private func key(_ rig: ShippingRig) async throws -> String {
    "p/_logs/\(try await rig.reading { try await $0.logID() }).json"
  }

  private func note(_ logID: String, _ highest: Int) -> String {
    "{\"highest_planned_offset\":\(highest),\"log_id\":\"\(logID)\",\"written_at\":\"t\"}"
  }

  private func highest(_ note: [UInt8]?) throws -> Int {
    let object = try JSONSerialization.jsonObject(with: Data(note ?? [])) as? [String: Any]
    return try #require(object?["highest_planned_offset"] as? Int)
  }

  @Test func theNoteIsReadBeforeAnythingIsPlannedOrUploadedAndWrittenAtTheEnd() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      try await rig.drain(rig.shipping(to: store))
      let key = try await key(rig)
      #expect(store.calls.first == .readNote(key))
      #expect(store.calls.last == .writeNote(key))
      let note = try #require(
        try JSONSerialization.jsonObject(with: Data(store.notes[key] ?? [])) as? [String: Any])
      #expect(note["highest_planned_offset"] as? Int == 25)
      let logID = try await rig.reading { try await $0.logID() }
      #expect(note["log_id"] as? String == logID.rawValue)
      #expect(note["written_at"] as? String == "2026-11-21T05-13-20.123456Z")
    }
  }

  @Test func aStoreThatIsDownAtTheStartLeavesNothingPlanned() async throws {
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

  @Test func aHigherNoteHoldsUntilTheLogIsAdopted() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      let logID = try await rig.reading { try await $0.logID() }
      store.setNote(try await key(rig), note(logID.rawValue, 12))
      for _ in 1...2 {
        // Held again after a restart: a held log plans nothing that would pass the note.
        try await rig.beside(rig.shipping(to: store)) {
          try await expectEventually { rig.clock.waiting.contains(.seconds(60)) }
          let reads = store.calls.count
          rig.clock.advance(by: .seconds(60))
          try await expectEventually { store.calls.count > reads }
        }
        #expect(store.puts.isEmpty)
        #expect(try await rig.query("SELECT count(*) FROM batches") == ["0"])
      }
      let held = try #require(rig.logs.entries.first { $0.level == .error })
      #expect(held.message.contains("tickwal adopt"))
      #expect(held.metadata["planned_there"] == "12")
      #expect(held.metadata["planned_here"] == "0")
      _ = try await rig.log.adopt()
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(26))
    }
  }

  @Test(arguments: ["", "no JSON", "{\"highest_planned_offset\":99,\"log_id\":\"x\",\"written_at\":\"t\"}"])
  func aNoteThatSaysNothingOfThisLogHoldsNobodyAndIsWrittenAnew(text: String) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5))
      let store = ScriptedStore()
      let key = try await key(rig)
      store.setNote(key, text)
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(6))
      #expect(try highest(store.notes[key]) == 5)
    }
  }

  @Test func theOwnNoteDoesNotHoldALogWhosePlansWereTrimmed() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let store = ScriptedStore()
      try await rig.drain(rig.shipping(to: store))
      try await rig.log.write { try $0.connection.run("DELETE FROM batches") }
      try await rig.log.append(ticks(5, from: 26))
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(31))
    }
  }

  @Test func theNoteIsWrittenEveryFiveMinutesWhenThereIsSomethingNew() async throws {
    try await ShippingRig.with { rig in
      let key = try await key(rig)
      let store = ScriptedStore()
      try await rig.log.append(ticks(10))
      try await rig.beside(rig.shipping(to: store)) {
        try await expectEventually { try await rig.next(.s3) == offset(11) }
        #expect(store.notes[key] == nil)
        try await expectEventually { rig.clock.waiting == [.seconds(300)] }
        rig.clock.advance(by: .seconds(299))
        #expect(store.notes[key] == nil)
        rig.clock.advance(by: .seconds(1))
        try await expectEventually { store.notes[key] != nil }
        #expect(try highest(store.notes[key]) == 10)
        // Nothing new: not written again.
        try await expectEventually { rig.clock.waiting == [.seconds(300)] }
        rig.clock.advance(by: .seconds(300))
        try await expectEventually { rig.clock.waiting == [.seconds(300)] }
        #expect(store.calls.filter { $0 == .writeNote(key) }.count == 1)
        try await rig.log.append(ticks(10, from: 11))
        try await expectEventually { try await rig.next(.s3) == offset(21) }
        rig.clock.advance(by: .seconds(300))
        try await expectEventually { try highest(store.notes[key]) == 20 }
      }
    }
  }

  @Test func aNoteThatCannotBeWrittenAtTheEndIsSaidAndDoesNotMatter() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let store = ScriptedStore()
      store.hook(before: { call in
        if case .writeNote = call { throw AWSError.answer(503, .transient) }
      })
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(11))
      #expect(rig.logs.messages(.warning).contains { $0.contains("could not note how far") })
      store.hook()
      try await rig.log.append(ticks(10, from: 11))
      #expect(try await rig.drain(rig.shipping(to: store)).next == offset(21))
    }
  }
}
