import Base
import Glibc
import Ticks

/// The parts of one event that the log needs, as ranges of the message.
struct EventOutline: Equatable {
  /// The event's JSON.
  private(set) var range: Range<Int>
  /// `e`, if it is a string.
  private(set) var type: JSONValue?
  /// `s`, if it is a string.
  private(set) var symbol: JSONValue?
  /// Milliseconds UTC, from `E`; nil if that is no time.
  private(set) var time: Int64?
  /// Which of the fields that make a spot bookTicker without `e` were seen.
  private(set) var quote: QuoteFields = []
  private(set) var ids = EventIDs()

  struct QuoteFields: OptionSet {
    let rawValue: UInt8
    static let bid = QuoteFields(rawValue: 1)
    static let ask = QuoteFields(rawValue: 2)
    static let update = QuoteFields(rawValue: 4)
    static let all: QuoteFields = [.bid, .ask, .update]
  }

  /// Has a type or a symbol, as no answer to a request has.
  var saysWhatItIs: Bool { type != nil || symbol != nil }

  func isShutdown(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    guard symbol == nil, let type else { return false }
    return bytes.isEqual(type, to: "serverShutdown")
  }

  init(start: Int) { range = start..<start }

  /// Walks over the object before which the scanner stands.
  init(_ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) {
    self.init(start: scanner.position)
    var object = try scanner.enterObject()
    while let key = try scanner.nextKey(&object) {
      let value = try scanner.skipValue()
      if let short = scanner.singleByteName(key) {
        take(key: short, value, bytes)
      } else {
        take(key: key, value, bytes)
      }
    }
    end(at: scanner.position)
  }

  mutating func end(at position: Int) { range = range.lowerBound..<position }

  /// Takes in one member of the event. Of a key that occurs twice the last counts, as in most parsers.
  mutating func take(key: UInt8, _ value: JSONValue, _ bytes: UnsafeBufferPointer<UInt8>) {
    switch key {
    case UInt8(ascii: "e"): type = value.kind == .string ? value : nil
    case UInt8(ascii: "s"): symbol = value.kind == .string ? value : nil
    case UInt8(ascii: "E"): time = bytes.integer(value).flatMap { EventTime($0) }?.milliseconds
    case UInt8(ascii: "b"): quote.insert(.bid)
    case UInt8(ascii: "a"):
      quote.insert(.ask)
      ids.take(aggregate: value)
    case UInt8(ascii: "u"):
      quote.insert(.update)
      ids.take(last: value)
    case UInt8(ascii: "U"): ids.take(first: value)
    case UInt8(ascii: "t"): ids.take(trade: value)
    case UInt8(ascii: "X"): ids.takeOrderType()
    default: break
    }
  }

  /// The same for one with a longer name.
  mutating func take(key: JSONValue, _ value: JSONValue, _ bytes: UnsafeBufferPointer<UInt8>) {
    if bytes.isEqual(key, to: "pu") { ids.take(previous: value) }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// True if a string's text is this one. Escapes are looked through.
  func isEqual(_ string: JSONValue, to text: StaticString) -> Bool {
    let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    if string.hasEscapes {
      return JSONString.text(UnsafeBufferPointer(rebasing: self[string.contents]))?.elementsEqual(wanted)
        ?? false
    }
    guard string.contents.count == wanted.count, let start = baseAddress else { return false }
    return memcmp(start + string.contents.lowerBound, text.utf8Start, wanted.count) == 0
  }
}

extension JSONValue {
  /// The text that a string stands for, as UTF-8; nil if that is no text.
  func text(in bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    let contents = UnsafeBufferPointer(rebasing: bytes[contents])
    return hasEscapes ? JSONString.text(contents) : Array(contents)
  }
}
