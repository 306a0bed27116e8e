import Foundation
import TestSupport
import Testing
import WAL

@testable import Ingest

/// One decoded tick, as a table states it.
private struct Tick: Equatable, CustomStringConvertible {
  var stream: String
  var payload: String
  var time: Int64?

  init(_ stream: String, _ payload: String, _ time: Int64? = nil) {
    self.stream = stream
    self.payload = payload
    self.time = time
  }

  var description: String { "\(stream) \(time.map(String.init) ?? "-") \(payload)" }
}

private struct Decoded {
  var outcome: MessageDecoder.Outcome
  var ticks: [Tick]
  var rejected: [RejectedInput]
}

private func decode(_ bytes: [UInt8], urlStream: String? = nil) -> Decoded {
  var decoder = MessageDecoder(urlStream: urlStream)
  var batch = TickBatch()
  var rejected: [RejectedInput] = []
  let outcome = bytes.withUnsafeBufferPointer {
    decoder.decode($0, receivedAt: 7, into: &batch, rejected: &rejected)
  }
  let ticks = batch.entries.map { Tick(batch.stream(of: $0), batch.payload(of: $0), $0.eventTime) }
  #expect(batch.entries.allSatisfy { $0.receivedAt == 7 })
  return Decoded(outcome: outcome, ticks: ticks, rejected: rejected)
}

private func decode(_ text: String, urlStream: String? = nil) -> Decoded {
  decode(Array(text.utf8), urlStream: urlStream)
}

@Suite struct MessageDecoderTests {
  private static let miniTicker =
    #"{"e":"24hrMiniTicker","E":1665778598188,"s":"BTCUSDT","c":"1","o":"2","h":"3","l":"4","v":"5","q":"6"}"#

  @Test func `a combined message is its event under its stream's name`() {
    let decoded = decode(#"{"stream":"btcusdt@miniTicker","data":\#(Self.miniTicker)}"#)
    #expect(decoded.outcome == .ticks(1))
    #expect(decoded.ticks == [Tick("btcusdt@miniTicker", Self.miniTicker, 1_665_778_598_188)])
    #expect(decoded.rejected.isEmpty)
  }

  @Test(arguments: [
    // White space inside and around stays with the event or goes with the envelope.
    (" {\t\"data\" : { \"E\" : 5 }\n, \"stream\" : \"a@b\" }\r\n", Tick("a@b", #"{ "E" : 5 }"#, 5)),
    (#"{"stream_type":"a@b","data":{}}"#, Tick("a@b", "{}")),
    // The last of two counts, as for Python's json.
    (#"{"stream":"x","data":{"E":1},"stream":"y","data":{"E":2}}"#, Tick("y", #"{"E":2}"#, 2)),
    (#"{"stream":"x","data":{"E":1,"E":2}}"#, Tick("x", #"{"E":1,"E":2}"#, 2)),
    (#"{"stream":"x","data":[{"s":"A","e":"trade"}],"data":{"E":2}}"#, Tick("x", #"{"E":2}"#, 2)),
    (#"{"\u0073tream":"a\u0040b","d\u0061ta":{"\u0045":9}}"#, Tick("a@b", #"{"\u0045":9}"#, 9)),
    (#"{"stream":"\ud83d\ude00\/","data":{}}"#, Tick("😀/", "{}")),
    (#"{"stream":"наме","data":{"x":"é"}}"#, Tick("наме", #"{"x":"é"}"#)),
    // Numbers that are no milliseconds are no event time; the event is kept.
    (#"{"stream":"x","data":{"E":"5"}}"#, Tick("x", #"{"E":"5"}"#)),
    (#"{"stream":"x","data":{"E":5.0}}"#, Tick("x", #"{"E":5.0}"#)),
    (#"{"stream":"x","data":{"E":1e3}}"#, Tick("x", #"{"E":1e3}"#)),
    (#"{"stream":"x","data":{"E":-5}}"#, Tick("x", #"{"E":-5}"#, -5)),
    (
      #"{"stream":"x","data":{"E":253402300799999}}"#,
      Tick("x", #"{"E":253402300799999}"#, 253_402_300_799_999)
    ),
    (
      #"{"stream":"x","data":{"E":1665778598188999}}"#,
      Tick("x", #"{"E":1665778598188999}"#, 1_665_778_598_188)
    ),
    // A time that no date can say would make every later tick of its stream a late one.
    (#"{"stream":"x","data":{"E":9223372036854775807}}"#, Tick("x", #"{"E":9223372036854775807}"#)),
    (#"{"stream":"x","data":{"E":9223372036854775808}}"#, Tick("x", #"{"E":9223372036854775808}"#)),
    (#"{"stream":"x","data":{"E":-9223372036854775808}}"#, Tick("x", #"{"E":-9223372036854775808}"#)),
    (#"{"stream":"x","data":{"E":1,"E":"no"}}"#, Tick("x", #"{"E":1,"E":"no"}"#)),
    // A miniTicker of wrong types is an event like any other.
    (#"{"stream":"x","data":{"e":1,"s":null,"k":3}}"#, Tick("x", #"{"e":1,"s":null,"k":3}"#)),
    (#"{"stream":"x","data":{},"result":null,"id":1}"#, Tick("x", "{}")),
  ])
  fileprivate func `odd but valid combined messages are ticks`(_ text: String, _ tick: Tick) {
    let decoded = decode(text)
    #expect(decoded.ticks == [tick])
    #expect(decoded.outcome == .ticks(1))
    #expect(decoded.rejected.isEmpty)
  }

  @Test(arguments: [
    (#"{"e":"24hrMiniTicker","s":"BTCUSDT"}"#, "btcusdt@miniTicker"),
    (#"{"e":"24hrTicker","s":"BTCUSDT"}"#, "btcusdt@ticker"),
    (#"{"e":"1hTicker","s":"BTCUSDT"}"#, "btcusdt@ticker_1h"),
    (#"{"e":"trade","s":"BTCUSDT"}"#, "btcusdt@trade"),
    (#"{"e":"aggTrade","s":"BTCUSDT"}"#, "btcusdt@aggTrade"),
    (#"{"e":"bookTicker","s":"BTCUSDT"}"#, "btcusdt@bookTicker"),
    (#"{"u":1,"s":"BTCUSDT","b":"1","B":"1","a":"1","A":"1"}"#, "btcusdt@bookTicker"),
    (#"{"e":"depthUpdate","s":"BTCUSDT"}"#, "btcusdt@depth"),
    (#"{"e":"kline","s":"BTCUSDT","k":{"t":1,"i":"1M"}}"#, "btcusdt@kline_1M"),
    (#"{"e":"avgPrice","s":"BTCUSDT"}"#, "btcusdt@avgPrice"),
    (#"{"e":"somethingNew","s":"币安USDT"}"#, "币安usdt@somethingNew"),
    (#"{"\u0065":"tr\u0061de","s":"\u0042TC"}"#, "btc@trade"),
    (#"{"e":"markPriceUpdate","s":"BTCUSDT_231229"}"#, "btcusdt_231229@markPrice"),
  ])
  func `an event alone gets its stream's name from what it says`(_ text: String, _ stream: String) {
    #expect(decode(text).ticks == [Tick(stream, text)])
  }

  @Test func `an event alone gets the name in the connection's URL, if it has one`() {
    let partialBook = #"{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[]}"#
    #expect(decode(partialBook, urlStream: "bnbbtc@depth5").ticks == [Tick("bnbbtc@depth5", partialBook)])
    #expect(decode(Self.miniTicker, urlStream: "x@y").ticks.first?.stream == "x@y")
  }

  @Test(arguments: [false, true])
  func `each element of an array is a tick of its own stream`(wrapped: Bool) {
    let elements = [
      #"{"e":"24hrMiniTicker","E":1,"s":"ETHBTC"}"#, #"{ "e":"24hrMiniTicker","E":2,"s":"BNBBTC" }"#,
    ]
    let array = "[\(elements[0]), \(elements[1])]"
    let decoded = decode(wrapped ? #"{"stream":"!miniTicker@arr","data":\#(array)}"# : array)
    #expect(decoded.outcome == .ticks(2))
    #expect(
      decoded.ticks == [Tick("ethbtc@miniTicker", elements[0], 1), Tick("bnbbtc@miniTicker", elements[1], 2)])
  }

  @Test func `elements of an array that are no ticks are rejected one by one`() {
    let decoded = decode(#"[{"e":"trade","s":"A"},5,{"e":"trade"},{"e":"trade","s":"B"}]"#)
    #expect(decoded.outcome == .ticks(2))
    #expect(decoded.ticks.map(\.stream) == ["a@trade", "b@trade"])
    #expect(decoded.rejected.map(\.payload) == [Array(#"{"e":"trade"}"#.utf8), Array("5".utf8)])
  }

  @Test func `an empty array has nothing to keep and nothing to reject`() {
    let decoded = decode(#"{"stream":"!miniTicker@arr","data":[]}"#)
    #expect(decoded.outcome == .ticks(0))
    #expect(decoded.rejected.isEmpty)
  }

  @Test(arguments: [
    (#"{"result":null,"id":1}"#, RequestAnswer(id: 1)),
    (#"{"id":"x","result":["a@b"]}"#, RequestAnswer(id: nil)),
    (#"{"error":null,"result":null,"id":2}"#, RequestAnswer(id: 2)),
    (
      #"{"error":{"code":2,"msg":"Invalid request: \"x\""},"id":3}"#,
      RequestAnswer(id: 3, failure: .init(code: 2, message: #"Invalid request: "x""#))
    ),
    (
      #"{"code":0,"msg":"Unknown property","id":4}"#,
      RequestAnswer(id: 4, failure: .init(code: 0, message: "Unknown property"))
    ),
    // The server could not read the request, so it cannot say which one.
    (
      #"{"error":{"msg":"Invalid JSON","code":3}}"#,
      RequestAnswer(id: nil, failure: .init(code: 3, message: "Invalid JSON"))
    ),
    (
      #"{"code":3,"msg":"Invalid JSON"}"#,
      RequestAnswer(id: nil, failure: .init(code: 3, message: "Invalid JSON"))
    ),
    (
      #"{"id":5,"status":400,"error":{"code":-1100,"msg":"m"},"rateLimits":[]}"#,
      RequestAnswer(id: 5, failure: .init(code: -1100, message: "m"))
    ),
    (#"{"id":6,"error":["no"]}"#, RequestAnswer(id: 6, failure: .init(code: nil, message: #"["no"]"#))),
    (
      #"{"id":null,"error":{"code":1,"msg":"\#(String(repeating: "ab", count: 5000))"}}"#,
      RequestAnswer(id: nil, failure: .init(code: 1, message: String(repeating: "ab", count: 100)))
    ),
  ])
  func `answers to requests are not ticks and not rejected`(_ text: String, _ answer: RequestAnswer) {
    let decoded = decode(text)
    #expect(decoded.outcome == .answer(answer))
    #expect(decoded.ticks.isEmpty && decoded.rejected.isEmpty)
  }

  @Test func `an event that has an answer's members as well is an event`() {
    let text = #"{"e":"news","s":"A","code":1,"msg":"m","id":1,"result":1,"error":{"code":1,"msg":"m"}}"#
    #expect(decode(text).ticks == [Tick("a@news", text)])
    let wrapped = #"{"stream":"x","data":{"code":1,"msg":"m"},"id":1,"error":{"code":1,"msg":"m"}}"#
    #expect(decode(wrapped).ticks == [Tick("x", #"{"code":1,"msg":"m"}"#)])
  }

  @Test(arguments: [
    #"{"e":"serverShutdown","E":1770123456789}"#, #"{"event":{"e":"serverShutdown","E":1770123456789}}"#,
    #"{"stream":"btcusdt@trade","data":{"e":"serverShutdown","E":1770123456789}}"#,
  ])
  func `the announcement of a shutdown is no tick`(_ text: String) {
    let decoded = decode(text)
    #expect(decoded.outcome == .serverShutdown)
    #expect(decoded.ticks.isEmpty && decoded.rejected.isEmpty)
  }

  @Test(arguments: [
    "", " ", "hello", "5", "null", #""text""#, "{", "[", #"{"stream":"a@b","data":{}"#,
    #"{"stream":"a@b","data":{}}x"#, #"{"stream":"a@b","data":{},}"#, #"{"stream":"a@b","data":{"x":01}}"#,
    #"{"stream":"a@b","data":5}"#, #"{"stream":"a@b","data":null}"#, #"{"stream":"a@b"}"#,
    #"{"stream":"","data":{}}"#, #"{"stream":7,"data":{}}"#, #"{"stream":null,"data":{}}"#,
    #"{"stream":"a","stream":7,"data":{}}"#, #"{"stream":"\ud800","data":{}}"#,
    #"{"stream":"\udc00\ud800","data":{}}"#, #"{"stream":"a\u0000b","data":{}}"#,
    #"{"data":{"E":1}}"#, "{}", #"{"e":"trade"}"#, #"{"s":"BTCUSDT"}"#, #"{"e":"kline","s":"A","k":{}}"#,
    #"{"e":"trade","s":""}"#, #"{"e":"","s":"A"}"#, #"{"error":"no"}"#, #"{"code":1}"#,
    #"{"msg":"m","id":1}"#,
    "\u{FEFF}{\"stream\":\"a@b\",\"data\":{}}", "{\"stream\":\"a@b\",\"data\":{\"x\":\"\u{1}\"}}",
  ])
  func `what is no tick is rejected whole, with a cause`(_ text: String) throws {
    let decoded = decode(text)
    #expect(decoded.outcome == .rejected)
    #expect(decoded.ticks.isEmpty)
    #expect(decoded.rejected.map(\.payload) == [Array(text.utf8)])
    #expect(try #require(decoded.rejected.first).cause.isEmpty == false)
  }

  @Test func `bytes that are not UTF-8 are rejected`() {
    for bad: [UInt8] in [
      [0xff], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82],
    ] {
      let bytes = Array(#"{"stream":"a@b","data":{"x":""#.utf8) + bad + Array(#""}}"#.utf8)
      #expect(decode(bytes).outcome == .rejected)
    }
  }

  @Test func `nesting of any depth neither crashes nor loses the event`() {
    let depth = 200_000
    let deep = String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    #expect(decode(#"{"stream":"a@b","data":{"x":\#(deep)}}"#).ticks.map(\.payload) == [#"{"x":\#(deep)}"#])
    #expect(decode(String(repeating: #"{"a":"#, count: depth)).outcome == .rejected)
    #expect(decode(String(repeating: "[", count: depth)).outcome == .rejected)
  }

  @Test func `one decoder does not mix up messages`() {
    var decoder = MessageDecoder()
    var batch = TickBatch()
    var rejected: [RejectedInput] = []
    let messages = [
      #"[{"e":"trade","s":"A"}]"#, #"{"stream":"x","data":{}}"#, "nonsense", #"{"e":"trade","s":"B"}"#, "[]",
      #"{"stream":"\u0079","data":{}}"#,
    ]
    for message in messages {
      let bytes = Array(message.utf8)
      bytes.withUnsafeBufferPointer {
        _ = decoder.decode($0, receivedAt: 1, into: &batch, rejected: &rejected)
      }
    }
    #expect(batch.entries.map { batch.stream(of: $0) } == ["a@trade", "x", "b@trade", "y"])
    #expect(rejected.count == 1)
  }
}

/// Data that lies beside the repository on some machines; the tests above do not depend on it.
enum SharedData {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../shared/data").standardized

  static var exists: Bool { FileManager.default.fileExists(atPath: folder.path) }
}

@Suite(.enabled(if: SharedData.exists)) struct MessageDecoderSuiteTests {
  @Test func `the JSON test suite's verdicts hold inside an event`() throws {
    let folder = SharedData.folder.appending(path: "json-parsing")
    var judged = 0
    for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
      let bytes = Array(try Data(contentsOf: folder.appending(path: file)))
      // A value that is cut short must not be completed by what follows, so nothing but a bracket does.
      let decoded = decode(Array(#"{"stream":"a@b","data":{"x":"#.utf8) + bytes + Array("}}".utf8))
      if file.hasPrefix("y_") {
        #expect(decoded.outcome == .ticks(1), "\(file)")
      } else if file.hasPrefix("n_"), !Self.validInside.contains(file) {
        #expect(decoded.outcome == .rejected, "\(file)")
      }
      judged += 1
    }
    #expect(judged > 300)
  }

  /// Rejected alone, but part of valid JSON between our own brackets.
  private static let validInside: Set<String> = []
}

struct RecordedMessageTests {
  @Test(arguments: Recordings.combined) func `every recorded message is one tick`(_ file: URL) throws {
    let text = try String(contentsOf: file, encoding: .utf8)
    for line in text.split(separator: "\n") {
      let decoded = decode(String(line))
      let tick = try #require(decoded.ticks.first)
      #expect(line == #"{"stream":"\#(tick.stream)","data":\#(tick.payload)}"#)
      #expect((tick.time == nil) == !tick.payload.contains(#""E":"#))
      // Without its envelope the event gets the same name, except that depth's speed is not in the event.
      let alone = decode(tick.payload).ticks.first?.stream
      #expect(alone == tick.stream.replacing("@100ms", with: ""))
    }
  }

  @Test(arguments: Recordings.arrays) func `every element of a recorded array is a tick`(_ file: URL) throws {
    struct Event: Decodable { var s: String }
    let bytes = Array(try Data(contentsOf: file))
    let decoded = decode(bytes)
    #expect(decoded.rejected.isEmpty)
    #expect(decoded.ticks.count > 10)
    let symbols = try JSONDecoder().decode([Event].self, from: Data(bytes)).map(\.s)
    #expect(decoded.ticks.map(\.stream) == symbols.map { $0.lowercased() + "@miniTicker" })
    let joined = "[" + decoded.ticks.map(\.payload).joined(separator: ",") + "]"
    #expect(joined == String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines))
  }
}
