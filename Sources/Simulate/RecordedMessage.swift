/// One line of a recorded file: a message as an exchange sent it, and which stream it belongs to.
struct RecordedMessage: Equatable, Sendable {
  let line: [UInt8]
  /// Nil for a line that is neither a combined message nor an array: it goes to every client as it is, so that
  /// a file can hold what a feed must survive.
  let stream: String?
  /// Where in the line the event is; the whole line if it is not a combined message.
  let event: Range<Int>
  /// Whether the line is a combined message, to be sent verbatim to combined connections.
  let isCombined: Bool

  init(line: [UInt8]) {
    self.line = line
    if let (stream, event) = Self.combinedParts(line) {
      self.stream = stream
      self.event = event
      isCombined = true
    } else {
      stream = line.first == UInt8(ascii: "[") ? "!miniTicker@arr" : nil
      event = line.indices
      isCombined = false
    }
  }

  /// Finds `stream` and `data` among the members of the outermost object; does not judge the JSON.
  private static func combinedParts(_ line: [UInt8]) -> (stream: String, event: Range<Int>)? {
    guard line.first == UInt8(ascii: "{") else { return nil }
    var stream: String?
    var event: Range<Int>?
    var place = 1
    while let keyStart = line[place...].firstIndex(of: UInt8(ascii: "\"")) {
      let keyEnd = endOfString(line, from: keyStart)
      let key = line[min(keyStart + 1, keyEnd)..<max(keyStart + 1, keyEnd - 1)]
      guard let colon = line[min(keyEnd, line.count)...].firstIndex(of: UInt8(ascii: ":")) else { break }
      let start = line[(colon + 1)...].firstIndex { $0 != UInt8(ascii: " ") } ?? line.count
      let next = endOfValue(line, from: start)
      let end = line[start..<next].lastIndex { $0 != UInt8(ascii: " ") }.map { $0 + 1 } ?? next
      if key.elementsEqual("stream".utf8), end - start >= 2, line[start] == UInt8(ascii: "\"") {
        stream = String(decoding: line[(start + 1)..<(end - 1)], as: UTF8.self)
      } else if key.elementsEqual("data".utf8) {
        event = start..<end
      }
      place = next
    }
    guard let stream, let event else { return nil }
    return (stream, event)
  }

  /// The index after the closing quote.
  private static func endOfString(_ line: [UInt8], from start: Int) -> Int {
    var place = start + 1
    while place < line.count {
      if line[place] == UInt8(ascii: "\\") {
        place += 1
      } else if line[place] == UInt8(ascii: "\"") {
        return place + 1
      }
      place += 1
    }
    return line.count
  }

  /// The index of the comma or bracket after a value.
  private static func endOfValue(_ line: [UInt8], from start: Int) -> Int {
    var place = start
    var depth = 0
    while place < line.count {
      switch line[place] {
      case UInt8(ascii: "\""):
        place = endOfString(line, from: place)
        continue
      case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return place }
        depth -= 1
      case UInt8(ascii: ","): if depth == 0 { return place }
      default: break
      }
      place += 1
    }
    return place
  }
}
