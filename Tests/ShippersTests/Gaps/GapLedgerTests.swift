import Foundation
import ShippingFixtures
import Testing

@testable import Shippers
@testable import WAL

@Suite struct GapLedgerTests {
  private let logID = LogID(rawValue: "0123456789abcdef")
  private var ledger: GapLedger { GapLedger(destination: "{}", logID: logID) }

  private func gap(_ id: Int64, endedAt: Int64? = nil) -> Gap {
    Gap(id: Gap.ID(rawValue: id), startedAt: 1, endedAt: endedAt, cause: .closed, streams: [])
  }

  private func id(_ value: Int64) -> Gap.ID { Gap.ID(rawValue: value) }

  @Test func `a gap that has ended is due at once and an open one once it is old enough`() {
    #expect(ledger.isDue(gap(7, endedAt: 2), openThrough: id(0)))
    #expect(!ledger.isDue(gap(7), openThrough: id(6)))
    #expect(ledger.isDue(gap(7), openThrough: id(7)))
  }

  @Test func `what is open is remembered until its end was written`() {
    var ledger = ledger
    ledger.wrote(gap(1, endedAt: 2))
    ledger.wrote(gap(2))
    ledger.wrote(gap(5))
    #expect(ledger.nextGap == id(6))
    #expect(ledger.openGaps == [id(2), id(5)])
    // Written again, as after a crash.
    ledger.wrote(gap(5))
    #expect(ledger.openGaps == [id(2), id(5)])
    ledger.wrote(gap(2, endedAt: 9))
    #expect(ledger.openGaps == [id(5)])
    #expect(ledger.nextGap == id(6))
    ledger.forget(id(5))
    #expect(ledger.openGaps.isEmpty)
  }

  @Test func `thousands of open gaps make the next one wait for an end`() {
    var ledger = ledger
    for number in 1...Int64(GapLedger.maximumOpen) {
      #expect(ledger.isDue(gap(number), openThrough: id(.max)))
      ledger.wrote(gap(number))
    }
    let next = Int64(GapLedger.maximumOpen) + 1
    #expect(!ledger.isDue(gap(next), openThrough: id(.max)))
    #expect(ledger.isDue(gap(next, endedAt: 2), openThrough: id(.max)))
    ledger.wrote(gap(3, endedAt: 2))
    #expect(ledger.isDue(gap(next), openThrough: id(.max)))
  }

  @Test func `in another place the same gaps are known`() {
    var ledger = ledger
    ledger.wrote(gap(1, endedAt: 2))
    ledger.wrote(gap(2))
    let moved = ledger.moved(to: "{}", logID: LogID(rawValue: "fedcba9876543210"))
    #expect(moved != ledger)
    #expect((moved.nextGap, moved.openGaps) == (id(3), [id(2)]))
    #expect(ledger.moved(to: "{}", logID: logID) == ledger)
  }

  @Test func `its text is what the documentation says`() throws {
    var ledger = ledger
    ledger.wrote(gap(1))
    ledger.wrote(gap(2, endedAt: 2))
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    let text = String(decoding: try encoder.encode(ledger), as: UTF8.self)
    #expect(text == "{\"destination\":\"{}\",\"log_id\":\"0123456789abcdef\",\"next\":3,\"open\":[1]}")
    #expect(try JSONDecoder().decode(GapLedger.self, from: Data(text.utf8)) == ledger)
  }
}

extension GapLedgerTests {
  @Test func `a gap that was extended is told again, even if that happens while it is told`() {
    let now = [1: gap(1, endedAt: 2), 2: gap(2, endedAt: 9), 3: gap(3, endedAt: 4), 4: gap(4, endedAt: 5)]
    func current(_ id: Gap.ID) -> Gap? { now[Int(id.rawValue)] }
    var stored = ledger
    for gap in now.values { stored.wrote(gap) }
    // The log has added those that were extended; 7 is not kept.
    for number in [3, 4, 7] as [Int64] { stored.wrote(gap(number)) }
    var ledger = stored
    for number in [3, 4, 7] as [Int64] { ledger.forget(id(number)) }
    ledger.addChanged(
      stored: stored, told: [gap(1, endedAt: 2), gap(2, endedAt: 3), gap(3, endedAt: 4)], current: current)
    #expect(ledger.openGaps == [id(2), id(4)])
    ledger.addChanged(stored: nil, told: [], current: current)
    #expect(ledger.openGaps == [id(2), id(4)])
  }
}

@Suite struct GapObjectTests {
  private let logID = LogID(rawValue: "0123456789abcdef")

  private func object(
    startedAt: Int64 = someTime, endedAt: Int64? = nil, streams: [String] = ["btcusdt@miniTicker"],
    folder: String = "a/b", layout: ObjectSettings.Layout = .hive
  ) -> GapObject {
    GapObject(
      Gap(
        id: Gap.ID(rawValue: 12), startedAt: startedAt, endedAt: endedAt, cause: .diskFull, streams: streams),
      logID: logID, settings: ObjectSettings(folder: folder, fileName: "f", layout: layout))
  }

  @Test func `it is one line that says all`() {
    #expect(
      String(decoding: object().body, as: UTF8.self) == """
        {"gap":12,"log_id":"0123456789abcdef","started_at":"2026-11-21T05:13:20.123456Z","ended_at":null,\
        "cause":"disk_full","streams":["btcusdt@miniTicker"]}

        """)
    #expect(
      String(decoding: object(endedAt: someTime + 1, streams: ["ü@\"", "b"]).body, as: UTF8.self) == """
        {"gap":12,"log_id":"0123456789abcdef","started_at":"2026-11-21T05:13:20.123456Z",\
        "ended_at":"2026-11-21T05:13:20.123457Z","cause":"disk_full","streams":["\\u00fc@\\"","b"]}

        """)
  }

  @Test func `a detail stands at its end, on the same line`() {
    let gap = Gap(
      id: Gap.ID(rawValue: 12), startedAt: someTime, endedAt: nil, cause: .unsubscribed, streams: [],
      detail: "{ \"msg\":\n\"ü x\" }")
    let object = GapObject(
      gap, logID: logID, settings: ObjectSettings(folder: "a", fileName: "f", layout: .hive))
    #expect(
      String(decoding: object.body, as: UTF8.self) == """
        {"gap":12,"log_id":"0123456789abcdef","started_at":"2026-11-21T05:13:20.123456Z","ended_at":null,\
        "cause":"unsubscribed","streams":[],"detail":{"msg":"\\u00fc x"}}

        """)
  }

  @Test func `its key is the same open and ended`() {
    let key = "a/b/_gaps/dt=2026-11-21/f-2026-11-21T05-13-20.123456Z-0123456789abcdef-12.jsonl"
    #expect(object().key == key)
    #expect(object(endedAt: someTime + 86_400_000_000).key == key)
    #expect(
      object(layout: .flat).key == "a/b/_gaps/f-2026-11-21T05-13-20.123456Z-0123456789abcdef-12.jsonl")
    #expect(object(folder: "/").key.hasPrefix("_gaps/dt=2026-11-21/f-"))
  }

  @Test(arguments: [Int64.min, -1, .max])
  func `every time has a key and a text`(time: Int64) throws {
    let object = object(startedAt: time, endedAt: time)
    #expect(object.key.split(separator: "/").last?.count == 55)
    let line = try #require(try JSONSerialization.jsonObject(with: Data(object.body)) as? [String: Any])
    #expect((line["started_at"] as? String)?.utf8.count == 27)
  }
}
