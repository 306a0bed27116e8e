import Foundation
import Testing
import WAL

@testable import Ingest

/// What came of one message between two good ones.
private struct Between {
  var outcome: MessageDecoder.Outcome
  /// Payloads of the message itself.
  var payloads: [String]
  var rejected: [RejectedInput]
  var saysInvalid: Bool { rejected.contains { $0.cause.hasPrefix("invalid JSON") } }
}

/// Decodes a good message, this one, and a good one, and checks that the good ones are whole.
private func decodeBetween(_ message: [UInt8]) -> Between {
  var decoder = MessageDecoder()
  var batch = TickBatch()
  var rejected: [RejectedInput] = []
  func decode(_ bytes: [UInt8]) -> MessageDecoder.Outcome {
    bytes.withUnsafeBufferPointer { decoder.decode($0, receivedAt: 7, into: &batch, rejected: &rejected) }
  }
  let good = #"{"stream":"a@b","data":{"E":5}}"#
  #expect(decode(Array(good.utf8)) == .ticks(1))
  let outcome = decode(message)
  #expect(decode(Array(good.utf8)) == .ticks(1))
  let payloads = batch.entries.map { batch.payload(of: $0) }
  #expect(payloads.first == #"{"E":5}"# && payloads.last == #"{"E":5}"#)
  return Between(outcome: outcome, payloads: Array(payloads.dropFirst().dropLast()), rejected: rejected)
}

/// A value as part of an event of a combined message.
private func message(_ value: [UInt8]) -> [UInt8] {
  Array(#"{"stream":"x@y","data":{"v":"#.utf8) + value + Array("}}".utf8)
}

private func isRefused(_ bytes: [UInt8]) -> Bool {
  let between = decodeBetween(bytes)
  return between.outcome == .rejected && between.payloads.isEmpty
    && between.rejected.map(\.payload) == [bytes] && between.saysInvalid
}

private func isKept(_ value: [UInt8]) -> Bool {
  let between = decodeBetween(message(value))
  return between.outcome == .ticks(1) && between.rejected.isEmpty
    && between.payloads == [#"{"v":\#(String(decoding: value, as: UTF8.self))}"#]
}

/// The decoder among all that is no JSON, and among JSON that is odd.
@Suite struct DecoderRubbishTests {
  @Test(arguments: [
    // Numbers
    "-", "+1", "01", "-01", "1.", "-2.", ".5", "-.5", "1e", "1e+", "1.0E-", "0x1F", "1_000", "1eE2", "1+2",
    "0.1.2", "--1", "- 1", "1a", "NaN", "-NaN", "Infinity", "-Infinity", "nan", "１", "1 000", "0e1.5",
    // Words
    "tru", "True", "TRUE", "nul", "nulll", "fals", "undefined", "None", "*", "é", "<null>", "#", "$x", "'a'",
    // Strings
    #"""#, #""a"#, #""\""#, #""\x00""#, #""\u12""#, #""\u12G4""#, #""\uD83D\u""#, #""\uD83D\u1""#,
    #""\U0041""#,
    #""\a""#, #""\'""#, "\"\n\"", "\"\t\"", "\"\u{0}\"", "\"\u{1f}\"", #""a"b"#, #"\u0020"a""#, #""\😀""#,
    // Arrays
    "[", "]", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1,,2]", "[1 2]", "[1;2]", "[1:2]", "[1}", "[[1]", "[1]]",
    "[*]",
    "[\u{0b}1]",
    // Objects
    "{", "}", "{]", #"{"a"}"#, #"{"a":}"#, #"{"a" 1}"#, #"{"a"::1}"#, #"{"a",1}"#, #"{"a":1,}"#,
    #"{"a":1,,"b":2}"#,
    #"{"a":1 "b":2}"#, "{a:1}", "{'a':1}", "{1:1}", "{[]:1}", "{:1}", #"{"a":1"#, #"{"a":"b"}/**/"#,
    #"{"a":1}//"#,
    // Around a value
    "", " ", "1 1", "\u{0c}1", "\u{2060}1", "\u{feff}1", "1\u{0}", "1,", "[],[]", "{}{}",
  ])
  func `what is not JSON is refused inside an event and alone`(_ text: String) {
    #expect(isRefused(message(Array(text.utf8))))
    #expect(isRefused(Array(text.utf8)))
  }

  @Test(
    arguments: [
      // Continuation alone, lead alone, cut short, overlong, surrogates, beyond U+10FFFF, Latin-1, UTF-16.
      [0x80], [0xbf], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xc0, 0xaf], [0xc1, 0xbf],
      [0xe0, 0x80, 0xaf],
      [0xf0, 0x80, 0x80, 0xaf], [0xfc, 0x83, 0xbf, 0xbf, 0xbf, 0xbf], [0xed, 0xa0, 0x80], [0xed, 0xbf, 0xbf],
      [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xfe], [0xff], [0xe9, 0x20],
      [0xfe, 0xff, 0x00, 0x41],
      [0xe2, 0x28, 0xa1], [0xf0, 0x28, 0x8c, 0xbc], [0xe2, 0x82, 0x41], [0xf0, 0x9f, 0x98, 0x41],
    ] as [[UInt8]])
  func `what is not UTF-8 is refused, in a string, in a key and outside of them`(_ bytes: [UInt8]) {
    #expect(isRefused(message([0x22] + bytes + [0x22])))
    #expect(isRefused(Array("{\"".utf8) + bytes + Array("\":1}".utf8)))
    #expect(isRefused(Array(#"{"stream":""#.utf8) + bytes + Array(#"","data":{}}"#.utf8)))
    #expect(isRefused(bytes + Array("{}".utf8)))
    #expect(isRefused(Array("{}".utf8) + bytes))
  }

  @Test(arguments: [
    "0", "-0", "-0.0e-0", "1E400", "-1e-400", "1.5e+3", String(repeating: "9", count: 100_000),
    "0.\(String(repeating: "0", count: 10_000))1", "123456789012345678901234567890", "1e999999999999999999",
    #""""#, #""\"\\\/\b\f\n\r\t\u00e9""#, #""\u0000""#, #""\ud83d\ude00""#, "\"é€😀\u{10ffff}\u{ffff}\"",
    "\"\u{7f}\"",
    "\"\u{2028}/* no comment */\"",
    // A surrogate without its partner is JSON; what it means is for whoever reads it.
    #""\ud800""#, #""\udc00\ud800""#, #""\ud800\n""#, #""\uDEAD!""#,
    "[]", " [ ] ", "{}", #"{"":{}}"#, #"{"a":1,"a":2}"#, "[null,true,false,[{}]]", "\t\n\r 1 \t\n\r",
  ])
  func `JSON that is odd is kept byte for byte`(_ text: String) {
    let value = Array(text.utf8)
    let between = decodeBetween(message(value))
    #expect(between.outcome == .ticks(1))
    #expect(between.payloads == [#"{"v":\#(text)}"#])
    #expect(between.rejected.isEmpty)
  }

  @Test func `nesting has no limit but the message's, and every message that stops too early is refused`() {
    for depth in [1, 64, 1_000, 100_000] {
      let open = String(repeating: "[{\"a\":", count: depth)
      let close = String(repeating: "}]", count: depth)
      #expect(isKept(Array((open + "1" + close).utf8)))
      #expect(isRefused(message(Array((open + "1" + close.dropLast()).utf8))))
      #expect(isRefused(Array(open.utf8)))
    }
    #expect(isRefused([UInt8](repeating: UInt8(ascii: "["), count: 100_000)))
  }

  @Test func `a message cut anywhere is refused`() {
    let text = #"{"stream":"btcusdt@trade","data":{"e":"trade","E":1,"p":"0.1","x":[true,null,"é\u00e9"]}}"#
    let whole = Array(text.utf8)
    for length in 0..<whole.count { #expect(isRefused(Array(whole[..<length])), "cut at \(length)") }
  }

  /// The published suite, where it lies beside the checkout: inside an event, and as a whole message.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: suite), "the JSON suite is not on this machine"))
  func `the published suite is judged as it says`() throws {
    let names = try FileManager.default.contentsOfDirectory(atPath: suite).sorted()
    #expect(
      names.count(where: { $0.hasPrefix("y_") }) > 90 && names.count(where: { $0.hasPrefix("n_") }) > 180)
    for name in names {
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: suite + "/" + name)))
      switch name.prefix(2) {
      case "y_":
        #expect(isKept(bytes), "\(name)")
        #expect(!decodeBetween(bytes).saysInvalid, "\(name)")
      case "n_":
        #expect(isRefused(message(bytes)), "\(name)")
        #expect(isRefused(bytes), "\(name)")
      default: break
      }
    }
  }
}

private let suite = packageRoot + "/../shared/data/json-parsing"
private let packageRoot = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
