import TestSupport
import Testing
import WAL

@testable import Ingest

/// Every kind of message, in each form in which it can arrive.
@Suite struct EventKindTests {
  private struct Tick: Equatable {
    var name: String
    var payload: String
    var time: Int64?
  }

  private func deliver(_ text: String, urlStream: String? = nil) -> (Intake, MessageDecoder.Outcome) {
    var decoder = MessageDecoder(urlStream: urlStream)
    var intake = Intake()
    let outcome = Array(text.utf8).withUnsafeBufferPointer { intake.add($0, decoder: &decoder) }
    return (intake, outcome)
  }

  private func ticks(_ intake: Intake) -> [Tick] {
    intake.ticks.entries.map {
      Tick(
        name: intake.ticks.stream(of: $0), payload: intake.ticks.payload(of: $0), time: $0.eventTime)
    }
  }

  private func expected(_ kind: EventKind) -> [Tick] {
    kind.events.map { Tick(name: $0.name, payload: $0.payload, time: $0.milliseconds) }
  }

  /// The array stream of a message, if its ticks have other names than it.
  private func arrays(_ kind: EventKind) -> Set<String> {
    kind.isArray || kind.events.contains { $0.name != kind.stream } ? [kind.stream] : []
  }

  @Test func `the table is there`() { #expect(EventKind.all.count > 50) }

  @Test(arguments: EventKind.all)
  func `combined, its ticks have the stream's name, or each its own`(_ kind: EventKind) {
    let (intake, outcome) = deliver(kind.message)
    #expect(ticks(intake) == expected(kind))
    #expect(outcome == .ticks(kind.events.count))
    #expect(intake.rejected.isEmpty)
    #expect(intake.arrays == arrays(kind))
  }

  @Test(arguments: EventKind.all)
  func `alone on a connection that names the stream, they have the same names`(_ kind: EventKind) {
    let (intake, _) = deliver(kind.data, urlStream: kind.stream)
    #expect(ticks(intake) == expected(kind))
    #expect(intake.rejected.isEmpty)
    #expect(intake.arrays == arrays(kind))
  }

  @Test(arguments: EventKind.all)
  func `alone, they have the name that they say, or are dead letters`(_ kind: EventKind) {
    let (intake, _) = deliver(kind.data)
    let named = kind.events.filter { $0.nameAlone != nil }
    #expect(ticks(intake).map(\.name) == named.map { $0.nameAlone })
    #expect(ticks(intake).map(\.payload) == named.map(\.payload))
    #expect(intake.rejected.count == kind.events.count - named.count)
    #expect(intake.arrays.isEmpty)
  }

  @Test(arguments: EventKind.all)
  func `in an array among others, they have the name that they say`(_ kind: EventKind) {
    let other = #"{"e":"trade","s":"A"}"#
    for event in kind.events {
      let (intake, _) = deliver("[\(other),\(event.payload),\(other)]")
      let names = ["a@trade", event.nameAlone, "a@trade"].compactMap { $0 }
      #expect(ticks(intake).map(\.name) == names)
      #expect(intake.rejected.count == 3 - names.count)
    }
  }

  @Test func `an event of an all-market stream that does not say its symbol is kept under the stream`() {
    let (whole, _) = deliver(#"{"stream":"!bookTicker","data":{"u":1,"b":"1","B":"1"}}"#)
    #expect(ticks(whole) == [Tick(name: "!bookTicker", payload: #"{"u":1,"b":"1","B":"1"}"#)])
    #expect(whole.arrays.isEmpty)
    let (array, _) = deliver(
      #"{"stream":"!ticker@arr","data":[{"e":"24hrTicker"},7,{"e":"24hrTicker","s":"A"}]}"#)
    #expect(ticks(array).map(\.name) == ["!ticker@arr", "a@ticker"])
    #expect(array.rejected.map(\.payload) == [Array("7".utf8)])
    #expect(array.arrays == ["!ticker@arr"])
  }

  @Test func `an array stream without events has delivered, too`() {
    let (intake, outcome) = deliver(#"{"stream":"!forceOrder@arr","data":[]}"#)
    #expect(outcome == .ticks(0))
    #expect(intake.arrays == ["!forceOrder@arr"])
  }

  @Test func `an intake names each array stream that delivered, however often`() {
    var decoder = MessageDecoder()
    var intake = Intake()
    let messages = [
      #"{"stream":"!bookTicker","data":{"u":1,"s":"A","b":"1","a":"1"}}"#,
      #"{"stream":"!bookTicker","data":{"u":2,"s":"B","b":"1","a":"1"}}"#,
      #"{"data":[{"e":"24hrMiniTicker","s":"A"}],"stream":"!miniTicker@arr"}"#,
      #"{"stream":"\u0021contractInfo","data":{"e":"contractInfo","s":"A"}}"#,
      #"{"stream":"a@trade","data":{"e":"trade","s":"A"}}"#, "nonsense",
    ]
    for message in messages {
      Array(message.utf8).withUnsafeBufferPointer { _ = intake.add($0, decoder: &decoder) }
    }
    #expect(intake.arrays == ["!bookTicker", "!miniTicker@arr", "!contractInfo"])
    #expect(
      ticks(intake).map(\.name) == [
        "a@bookTicker", "b@bookTicker", "a@miniTicker", "a@contractInfo", "a@trade",
      ])
  }

  @Test(arguments: [
    #"{"e":"kline","s":"A"}"#, #"{"e":"kline","s":"A","k":{"i":""}}"#, #"{"e":"kline","s":"A","k":"i"}"#,
    #"{"e":"kline","k":{"i":"1m"}}"#, #"{"e":"forceOrder","o":{"S":"A"}}"#, #"{"e":"forceOrder","o":"s"}"#,
    #"{"e":"forceOrder","o":{"s":7}}"#, #"{"e":"continuous_kline","ps":"A","k":{"i":"1m"}}"#,
    #"{"e":"continuous_kline","ct":"A","k":{"i":"1m"}}"#, #"{"e":"indexPrice_kline","s":"A","k":{"i":"1m"}}"#,
    #"{"e":"markPrice_kline","ps":"A","k":{"i":"1m"}}"#, #"{"e":"indexPriceUpdate","p":"1"}"#,
    #"{"e":"forceOrder","o":{"s":"\ud800"}}"#, #"{"e":"forceOrder","o":{"s":"A\u0000"}}"#,
  ])
  func `a special event that lacks a part of its name is a dead letter`(_ event: String) {
    let (intake, outcome) = deliver(event)
    #expect(outcome == .rejected)
    #expect(intake.rejected.map(\.payload) == [Array(event.utf8)])
  }

  @Test(arguments: [
    (#"{"e":"forceOrder","o":{"s":"A"},"o":{"s":"\u0042TC"}}"#, "btc@forceOrder"),
    (#"{"k":{"i":"1m"},"e":"kline","k":{"i":"1s","i":"1M"},"s":"A"}"#, "a@kline_1M"),
    (#"{"\u0070s":"A","c\u0074":"B","e":"continuous_kline","k":{"\u0069":"1w"}}"#, "a_b@continuousKline_1w"),
    (#"{"e":"markPrice_kline","s":"A","k":{"i":"1m","s":"B"}}"#, "a@markPriceKline_1m"),
    (#"{"e":"forceOrder","o":{"s":"A","o":{"s":"B"},"k":{"s":"C"}}}"#, "a@forceOrder"),
    (#"{"e":"forceOrder","o":{"s":"A"},"s":"B"}"#, "b@forceOrder"),
    (#"{"e":"indexPriceUpdate","s":"B","i":"A"}"#, "b@indexPrice"),
  ])
  func `of members that occur twice the last counts for names, and the event's own before those within`(
    _ event: String, _ name: String
  ) {
    #expect(ticks(deliver(event).0).map(\.name) == [name])
  }
}
