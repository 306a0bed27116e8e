import Base
import Foundation
import TestSupport
import Testing

@testable import Base

private func accepts(_ text: String) -> Bool { accepts(Array(text.utf8)) }

private func accepts(_ bytes: [UInt8]) -> Bool {
  bytes.withUnsafeBufferPointer { bytes in
    do throws(JSONError) {
      _ = try JSONScanner.validate(bytes)
      return true
    } catch {
      return false
    }
  }
}

@Suite struct JSONScannerTests {
  @Test(arguments: [
    "{}", "[]", " [ ] ", "0", "-0", "-0.0e-7", "1E+2", "1.5", "true", "false", "null", "\"\"",
    "\"\\u00e9\\n\"",
    "\"é€😀\"", "[1,[2,{\"a\":[{}]}],\"x\"]", "{\"a\":1,\"a\":2,\"\":{}}", "[[[[]]]]", "\"\u{7F}\"",
    "\"\\ud800\"", "\t\n\r 1 ",
  ])
  func `accepts what the standard allows`(_ text: String) {
    #expect(accepts(text))
  }

  /// Strings are scanned eight bytes at a time: a byte that matters must be found wherever it stands in them.
  @Test func `each byte counts wherever it stands in a string`() {
    var wrong: [String] = []
    for length in 0...24 {
      for place in 0..<max(length, 1) {
        for byte in UInt8.min...UInt8.max {
          var text = [UInt8](repeating: UInt8(ascii: "a"), count: length)
          if length > 0 { text[place] = byte }
          let quoted = [UInt8(ascii: "\"")] + text + [UInt8(ascii: "\"")]
          let isPlain =
            length == 0 || 0x20..<0x80 ~= byte && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
          let isRightPlace = byte >= 0x20 || length == 0 || position(ofErrorIn: quoted) == place + 1
          if accepts(quoted) != isPlain || !isRightPlace { wrong.append("\(byte) at \(place) of \(length)") }
        }
      }
    }
    #expect(wrong == [])
  }

  private func position(ofErrorIn bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBufferPointer { bytes in
      do throws(JSONError) {
        _ = try JSONScanner.validate(bytes)
        return nil
      } catch {
        return error.position
      }
    }
  }

  @Test(arguments: [
    "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "[1,,2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
    "{a:1}",
    "{'a':1}", "{\"a\":1 \"b\":2}", "{1:2}", "01", "+1", "-", "1.", ".5", "1e", "1e+", "0x1", "NaN",
    "Infinity",
    "tru", "True", "nul", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\n\"", "\"\t\"",
    "1 2",
    "{}x", "[]]", "//", "[1]\u{0}", "\u{FEFF}{}", "[\"a\" \"b\"]", "{\"a\":1]", "[1}",
  ])
  func `refuses what it does not`(_ text: String) {
    #expect(!accepts(text))
  }

  @Test(
    arguments: [
      [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x9F, 0xBF], [0xED, 0xA0, 0x80], [0xF0, 0x8F, 0xBF, 0xBF],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0x80], [0xFF], [0xE2, 0x82], [0xE2, 0x28, 0xA1],
    ] as [[UInt8]])
  func `refuses what is not UTF-8`(_ bytes: [UInt8]) {
    #expect(!accepts([0x22] + bytes + [0x22]))
  }

  @Test func `nesting is bounded by the text alone`() {
    for depth in [1, 63, 64, 65, 128, 129, 200_000] {
      let open = String(repeating: "[{\"a\":", count: depth)
      let close = String(repeating: "}]", count: depth)
      #expect(accepts(open + "1" + close), "depth \(depth)")
      #expect(!accepts(open + "1" + close.dropLast()), "depth \(depth), one bracket short")
      #expect(!accepts(open + "1" + close + "]"), "depth \(depth), one bracket more")
    }
  }

  @Test func `mixed nesting closes in the order it opened`() {
    var generator = SplitMix64.forTest()
    for _ in 0..<200 {
      let kinds = (0..<Int.random(in: 1...300, using: &generator)).map { _ in Bool.random(using: &generator) }
      let open = kinds.map { $0 ? "{\"k\":" : "[" }.joined()
      var closers = kinds.reversed().map { $0 ? "}" : "]" }
      #expect(accepts(open + "0" + closers.joined()))
      let index = Int.random(in: 0..<closers.count, using: &generator)
      closers[index] = closers[index] == "}" ? "]" : "}"
      #expect(!accepts(open + "0" + closers.joined()))
    }
  }

  /// The published suite, where the project's shared data lies beside the checkout.
  @Test(.enabled(if: FileManager.default.fileExists(atPath: suite), "the JSON suite is not on this machine"))
  func `published suite`() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: suite).sorted() {
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: suite + "/" + name)))
      if name.hasPrefix("y_") { #expect(accepts(bytes), "\(name)") }
      if name.hasPrefix("n_") { #expect(!accepts(bytes), "\(name)") }
    }
  }
}

private let suite = packageRoot + "/../shared/data/json-parsing"
private let packageRoot = URL(fileURLWithPath: #filePath)
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path
