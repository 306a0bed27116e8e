import Foundation
import TestSupport
import Testing
import Ticks
import WAL

@testable import Ingest

/// The ids that the exchange gives to events of some streams.
@Suite struct EventIDsTests {
  private func step(_ message: String, urlStream: String? = nil) -> IDStep? {
    var decoder = MessageDecoder(urlStream: urlStream)
    var intake = Intake()
    var bytes = Array(message.utf8)
    let outcome = bytes.withUnsafeMutableBufferPointer {
      intake.add(UnsafeBufferPointer($0), decoder: &decoder)
    }
    #expect(outcome == .ticks(1))
    #expect(intake.steps.allSatisfy { $0.tick == 0 })
    return intake.steps.first?.ids
  }

  private func combined(_ stream: String, _ event: String) -> String {
    #"{"stream":"\#(stream)","data":\#(event)}"#
  }

  @Test(arguments: [
    (
      "btcusdt@depth", #"{"e":"depthUpdate","E":1,"s":"BTCUSDT","U":157,"u":160,"b":[],"a":[["1","2"]]}"#,
      IDStep(after: 156, last: 160)
    ),
    (
      "btcusdt@depth@100ms", #"{"e":"depthUpdate","E":1,"T":1,"U":157,"u":160,"pu":149,"b":[],"a":[]}"#,
      IDStep(after: 149, last: 160)
    ),
    ("btcusdt@depth@500ms", #"{"u":160,"U":157,"e":"depthUpdate"}"#, IDStep(after: 156, last: 160)),
    (
      "bnbbtc@aggTrade", #"{"e":"aggTrade","E":1,"s":"BNBBTC","a":12345,"p":"1"}"#,
      IDStep(after: 12344, last: 12345)
    ),
    (
      "bnbbtc@trade", #"{"e":"trade","E":1,"t":12345,"b":88,"a":50,"m":true,"M":true}"#,
      IDStep(after: 12344, last: 12345)
    ),
    (#"bnbbtc@\u0074rade"#, #"{"\u0065":"tr\u0061de","t":0}"#, IDStep(after: -1, last: 0)),
  ])
  func `a step is read from the kinds of events that have ids`(stream: String, event: String, step: IDStep?)
    throws
  {
    try #require(step != nil)
    #expect(self.step(combined(stream, event)) == step)
  }

  @Test(arguments: [
    // Futures' trades leave ids out.
    (
      "btcusdt@trade", #"{"e":"trade","E":1,"T":1,"s":"BTCUSDT","t":7,"p":"1","q":"1","X":"MARKET","m":true}"#
    ),
    ("btcusdt@depth5", #"{"e":"depthUpdate","U":157,"u":160,"pu":149}"#),
    ("btcusdt@depth20@100ms", #"{"e":"depthUpdate","U":157,"u":160,"pu":149}"#),
    ("btcusdt@depth@100ms", #"{"e":"depthUpdate","u":160}"#),
    ("btcusdt@depth@100ms", #"{"e":"depthUpdate","U":161,"u":160}"#),
    ("btcusdt@depth@100ms", #"{"e":"depthUpdate","U":157,"u":160,"pu":"149"}"#),
    ("btcusdt@depth@100ms", #"{"e":"depthUpdate","U":157,"u":160.0}"#),
    ("btcusdt@depth@100ms", #"{"e":"depthUpdate","U":"157","u":160}"#),
    ("btcusdt@aggTrade", #"{"e":"aggTrade","a":"12"}"#),
    ("btcusdt@aggTrade", #"{"e":"aggTrade","a":-12}"#),
    ("btcusdt@aggTrade", #"{"e":"aggTrade","a":1e3}"#),
    ("btcusdt@aggTrade", #"{"e":"aggTrade","a":99999999999999999999}"#),
    ("btcusdt@trade", #"{"e":"trade","t":null}"#),
    ("btcusdt@bookTicker", #"{"u":400,"s":"BTCUSDT","b":"1","B":"2","a":"3","A":"4"}"#),
    ("btcusdt@kline_1m", #"{"e":"kline","s":"BTCUSDT","k":{"t":1,"a":2},"t":5}"#),
    ("btcusdt@miniTicker", #"{"e":"24hrMiniTicker","s":"BTCUSDT"}"#),
    ("!allTrades", #"{"e":"trade","s":"BTCUSDT","t":7}"#),
  ])
  func `an event without an id of such a kind has none`(stream: String, event: String) {
    #expect(step(combined(stream, event)) == nil)
  }

  @Test func `an event that comes without its stream's name counts for the stream of the URL alone`() {
    let event = #"{"e":"aggTrade","E":1,"s":"BTCUSDT","a":5}"#
    #expect(step(event, urlStream: "btcusdt@aggTrade") == IDStep(after: 4, last: 5))
    // Several streams may be meant by the name that it gets.
    #expect(step(event) == nil)
    let partial = #"{"e":"depthUpdate","s":"BTCUSDT","U":1,"u":2,"pu":0}"#
    #expect(step(partial, urlStream: "btcusdt@depth10") == nil)
    #expect(step(partial, urlStream: "btcusdt@depth") == IDStep(after: 0, last: 2))
  }

  @Test func `the ids of one message are not those of the next`() {
    var decoder = MessageDecoder()
    var intake = Intake()
    for message in [
      combined("a@trade", #"{"e":"trade","t":1}"#), "{}", combined("a@ticker", #"{"e":"24hrTicker"}"#),
      #"{"result":null,"id":1}"#, combined("b@trade", #"{"e":"trade","t":9}"#),
    ] {
      var bytes = Array(message.utf8)
      bytes.withUnsafeMutableBufferPointer { _ = intake.add(UnsafeBufferPointer($0), decoder: &decoder) }
    }
    #expect(intake.steps.map(\.tick) == [0, 2])
    #expect(intake.steps.map(\.ids.last) == [1, 9])
  }

  @Test func `the log gives back the ids that the feed saw`() throws {
    var decoder = MessageDecoder()
    var intake = Intake()
    for file in Recordings.combined {
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        var bytes = Array(line.utf8)
        bytes.withUnsafeMutableBufferPointer { _ = intake.add(UnsafeBufferPointer($0), decoder: &decoder) }
      }
    }
    var steps: [Int: IDStep] = [:]
    for step in intake.steps { steps[step.tick] = step.ids }
    var place = 0
    intake.ticks.withTexts { _, stream, payload in
      #expect(IDStep(stream: stream, payload: payload) == steps[place])
      place += 1
    }
    #expect(steps.count > 60 && steps.count < place)
  }

  @Test func `in what an exchange sent every step of depth and aggTrade follows on the one before`() throws {
    var checked = 0
    for file in Recordings.combined {
      var last: [String: Int64] = [:]
      var decoder = MessageDecoder()
      var intake = Intake()
      for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
        var bytes = Array(line.utf8)
        bytes.withUnsafeMutableBufferPointer { _ = intake.add(UnsafeBufferPointer($0), decoder: &decoder) }
      }
      for step in intake.steps {
        let stream = intake.ticks.stream(of: intake.ticks.entries[step.tick])
        if let before = last.updateValue(step.ids.last, forKey: stream) {
          #expect(step.ids.after <= before, "\(stream) of \(file.lastPathComponent)")
          checked += 1
        }
      }
    }
    #expect(checked > 50)
  }

  @Test(arguments: [
    ("btcusdt@depth", "depth"), ("btcusdt@depth@100ms", "depth"), ("btcusdt@depth20@100ms", "others"),
    ("btcusdt@depthX", "others"), ("btcusdt@aggTrade", "aggTrade"), ("btcusdt@trade", "trade"),
    ("btcusdt@miniTicker", "others"), ("btcusdt", "others"), ("", "others"), ("@trade", "trade"),
  ])
  func `a stream's kind is told from its name`(name: String, kind: String) {
    #expect(StreamKind(Array(name.utf8)).rawValue == kind)
  }
}
