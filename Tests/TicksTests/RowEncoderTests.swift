import Base
import Testing
import Ticks

func row(_ payload: String, stream: String = "btcusdt@miniTicker", receivedAt: Int64 = 1_700_000_000_123_456)
  throws -> String
{
  var payload = payload
  var stream = stream
  var out: [UInt8] = []
  try payload.withUTF8 { payload in
    try stream.withUTF8 { stream in
      RowEncoder.append(try TickEvent(stream: stream, payload: payload, receivedAt: receivedAt), to: &out)
    }
  }
  return String(decoding: out, as: UTF8.self)
}

@Suite struct RowEncoderTests {
  private let miniTicker = """
    {"e":"24hrMiniTicker","E":1665778598188,"s":"BTCUSDT","c":"19182.10000000","o":"19478.02000000",\
    "h":"19951.87000000","l":"19100.01000000","v":"363872.29609000","q":"7119945056.15496440"}
    """

  @Test func `a mini ticker is written as the old pipeline did`() throws {
    #expect(
      try row(miniTicker) == """
        {"event_type":"24hrMiniTicker","event_time":1665778598188,\
        "iso_timestamp":"2022-10-14T20-16-38.188000Z","stream_type":"btcusdt@miniTicker","symbol":"BTCUSDT",\
        "close_price":"19182.10000000","open_price":"19478.02000000","high_price":"19951.87000000",\
        "low_price":"19100.01000000","total_traded_volume":"363872.29609000",\
        "total_traded_base_asset_volume":"7119945056.15496440"}

        """)
  }

  @Test func `the order of the event's members does not matter`() throws {
    let turned = """
      { "q":"7119945056.15496440", "v":"363872.29609000","l":"19100.01000000","h":"19951.87000000",
        "o":"19478.02000000","c":"19182.10000000","s":"BTCUSDT","E":1665778598188,"e":"24hrMiniTicker","x":1}
      """
    #expect(try row(turned) == row(miniTicker))
  }

  @Test func `of members that occur twice the last counts`() throws {
    let twice = miniTicker.replacing("\"c\":", with: "\"c\":1,\"c\":\"0\",\"\\u0063\":")
    #expect(try row(twice) == row(miniTicker))
  }

  @Test(arguments: [
    ("\"c\":\"19182.10000000\"", "\"c\":19182.1"), ("\"q\":\"7119945056.15496440\"", "\"Q\":\"1\""),
    ("1665778598188", "\"1665778598188\""), ("1665778598188", "1.665e12"), ("\"BTCUSDT\"", "null"),
  ])
  func `a mini ticker with a member missing or of another type is shipped as any event`(
    _ old: String, _ new: String
  ) throws {
    let event = miniTicker.replacing(old, with: new)
    let row = try row(event)
    #expect(row.hasSuffix(",\"data\":\(event)}\n"))
    #expect(row.hasPrefix("{\"event_type\":\"24hrMiniTicker\",\"event_time\":"))
  }

  @Test func `an other event keeps what it has and its data without white space`() throws {
    let event = #"{ "e" : "trade", "E":1,"s":"É\u00e9\/\"", "a b" : [ 1 , { } , "x \" y\\" ] }"#
    #expect(
      try row(event, stream: "x@trade") == #"""
        {"event_type":"trade","event_time":1,"iso_timestamp":"1970-01-01T00-00-00.001000Z",\#
        "stream_type":"x@trade","symbol":"\u00c9\u00e9/\"",\#
        "data":{"e":"trade","E":1,"s":"\u00c9\u00e9\/\"","a b":[1,{},"x \" y\\"]}}

        """#)
  }

  @Test func `a spot book ticker takes its type from the stream and its time from the receipt`() throws {
    #expect(
      try row(#"{"u":1,"s":"NKNUSDT","b":"1","B":"2","a":"3","A":"4"}"#, stream: "nknusdt@bookTicker") == """
        {"event_type":"bookTicker","event_time":1700000000123,"iso_timestamp":"2023-11-14T22-13-20.123456Z",\
        "stream_type":"nknusdt@bookTicker","symbol":"NKNUSDT",\
        "data":{"u":1,"s":"NKNUSDT","b":"1","B":"2","a":"3","A":"4"}}

        """)
  }

  @Test func `characters beyond ASCII are escaped as Python does`() throws {
    let event = miniTicker.replacing("BTCUSDT", with: "é€😀\u{7F}\\u0041\\ud83d\\ude00\\t\\u000b\\ud800")
    #expect(
      try row(event, stream: "币@miniTicker").contains(
        #""stream_type":"\u5e01@miniTicker","symbol":"\u00e9\u20ac\ud83d\ude00\u007fA\ud83d\ude00\t\u000b\ud800""#
      ))
  }

  @Test func `times before 1970 and times that no date can say`() throws {
    #expect(try row(#"{"E":-1}"#).contains(#""event_time":-1,"iso_timestamp":"1969-12-31T23-59-59.999000Z""#))
    #expect(try row(#"{"E":951782400000}"#).contains("\"2000-02-29T00-00-00.000000Z\""))
    #expect(try row(#"{"E":253402300799999}"#).contains("\"9999-12-31T23-59-59.999000Z\""))
    for time in ["253402300800000000", "9223372036854775807", "-62135596800001", "99999999999999999999999"] {
      #expect(try row("{\"E\":\(time)}").contains(#""event_time":1700000000123,"iso_timestamp":"2023-11-14"#))
    }
  }

  @Test(arguments: ["[]", "1", "", "{\"a\":1", "{}{}"]) func `what is no object is refused`(_ payload: String)
  {
    #expect(throws: JSONError.self) { try row(payload) }
  }

  @Test func `integers at the ends of their range`() {
    for (text, expected) in [
      ("9223372036854775807", Int64.max), ("-9223372036854775808", Int64.min), ("0", 0), ("-0", 0),
    ] {
      Array(text.utf8).withUnsafeBufferPointer { bytes in
        let value = JSONValue(range: 0..<bytes.count, kind: .number, hasEscapes: false)
        #expect(bytes.integer(value) == expected)
        var out: [UInt8] = []
        PythonJSON.appendInteger(expected, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == (text == "-0" ? "0" : text))
      }
    }
  }
}
