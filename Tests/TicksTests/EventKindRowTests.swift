import Base
import TestSupport
import Testing
import Ticks

@Suite struct EventKindRowTests {
  @Test(arguments: EventKind.all)
  func `the row has what the event says, and the event`(_ kind: EventKind) throws {
    let received: Int64 = 1_700_000_000_123_456
    for event in kind.events {
      var head = #"{"event_type":"\#(event.type)","event_time":\#(event.milliseconds ?? received / 1_000)"#
      head += #","iso_timestamp":"\#(Timestamp.dashed(microseconds: event.microseconds ?? received))""#
      head += #","stream_type":"\#(event.name)""#
      if let symbol = event.symbol { head += #","symbol":"\#(symbol)""# }
      let row = try row(event.payload, stream: event.name, receivedAt: received)
      if event.id == .none {
        #expect(row.hasPrefix(head + #","close_price":"0.0025","open_price":"0.0010","#))
      } else {
        #expect(row == head + #","data":\#(event.payload)}"# + "\n")
      }
    }
  }
}

@Suite struct EventTimeTests {
  @Test(
    arguments: [
      (0, 0, 0), (1, 1, 1_000), (-1, -1, -1_000),
      (1_665_778_598_188, 1_665_778_598_188, 1_665_778_598_188_000),
      (253_402_300_799_999, 253_402_300_799_999, 253_402_300_799_999_000),
      (253_402_300_800_000, 253_402_300_800, 253_402_300_800_000),
      (1_665_778_598_188_999, 1_665_778_598_188, 1_665_778_598_188_999),
      (253_402_300_799_999_999, 253_402_300_799_999, 253_402_300_799_999_999),
      (-62_135_596_800_000, -62_135_596_800_000, -62_135_596_800_000_000),
    ] as [(Int64, Int64, Int64)])
  func `what is too large for milliseconds is microseconds`(
    _ value: Int64, _ milliseconds: Int64, _ microseconds: Int64
  ) throws {
    let time = try #require(EventTime(value))
    #expect(time.milliseconds == milliseconds)
    #expect(time.microseconds == microseconds)
    // The row says the same.
    let row = try row("{\"E\":\(value)}")
    #expect(row.contains("\"event_time\":\(milliseconds),"))
    #expect(row.contains("\"iso_timestamp\":\"\(Timestamp.dashed(microseconds: microseconds))\""))
  }

  @Test(arguments: [253_402_300_800_000_000, .max, -62_135_596_800_001, .min] as [Int64])
  func `what no year of four digits can say is no time`(_ value: Int64) throws {
    #expect(EventTime(value) == nil)
    #expect(try row("{\"E\":\(value)}").contains(#""event_time":1700000000123,"iso_timestamp":"2023-11-14"#))
  }

  @Test func `a miniTicker in microseconds has its columns`() throws {
    let event = """
      {"e":"24hrMiniTicker","E":1665778598188123,"s":"BTCUSDT","c":"1","o":"2","h":"3","l":"4","v":"5","q":"6"}
      """
    #expect(
      try row(event) == """
        {"event_type":"24hrMiniTicker","event_time":1665778598188,\
        "iso_timestamp":"2022-10-14T20-16-38.188123Z","stream_type":"btcusdt@miniTicker","symbol":"BTCUSDT",\
        "close_price":"1","open_price":"2","high_price":"3","low_price":"4","total_traded_volume":"5",\
        "total_traded_base_asset_volume":"6"}

        """)
  }

  @Test(arguments: [
    (#"{"e":"forceOrder","s":"B","o":{"s":"A"}}"#, #""symbol":"B","#),
    (#"{"e":"forceOrder","s":null,"o":{"q":"1","s":"\u00e9"}}"#, #""symbol":"\u00e9","#),
  ])
  func `a forceOrder's symbol is that of its order, unless it has one itself`(
    _ event: String, _ symbol: String
  ) throws {
    #expect(try row(event, stream: "x").contains(symbol))
  }

  @Test(arguments: [
    #"{"e":"forceOrder","o":{"s":1}}"#, #"{"e":"forceOrder","o":"s"}"#, #"{"e":"forceOrder","o":["s"]}"#,
    #"{"e":"other","o":{"s":"A"}}"#, #"{"o":{"s":"A"}}"#,
  ])
  func `no other event has its symbol from within`(_ event: String) throws {
    #expect(try row(event, stream: "x").contains("symbol") == false)
  }
}
