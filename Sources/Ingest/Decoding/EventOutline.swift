import Ticks

/// The parts of one event that the log needs, as ranges of the message.
struct EventOutline: Equatable {
  /// The event's JSON.
  var range: Range<Int>
  /// `e`, if it is a string.
  var type: JSONValue?
  /// `s`, if it is a string.
  var symbol: JSONValue?
  /// `E`, if it is a whole number that fits: milliseconds UTC.
  var time: Int64?
  /// `i` of the object `k`, if it is a string.
  var interval: JSONValue?
  /// Which of the fields that make a spot bookTicker without `e` were seen.
  var quote: QuoteFields = []

  struct QuoteFields: OptionSet {
    let rawValue: UInt8
    static let bid = QuoteFields(rawValue: 1)
    static let ask = QuoteFields(rawValue: 2)
    static let update = QuoteFields(rawValue: 4)
    static let all: QuoteFields = [.bid, .ask, .update]
  }

  /// Has a type or a symbol, as no answer to a request has.
  var saysWhatItIs: Bool { type != nil || symbol != nil }

  init(start: Int) { range = start..<start }

  /// Takes in one member of the event, the scanner standing before its value. Of a key that occurs twice the
  /// last counts, as in most parsers.
  mutating func take(
    key: UInt8?, from scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) {
    if key == UInt8(ascii: "k"), try scanner.peekKind() == .object {
      interval = nil
      try takeInterval(from: &scanner, bytes)
      return
    }
    let value = try scanner.skipValue()
    switch key {
    case UInt8(ascii: "e"): type = value.kind == .string ? value : nil
    case UInt8(ascii: "s"): symbol = value.kind == .string ? value : nil
    case UInt8(ascii: "E"): time = bytes.integer(value)
    case UInt8(ascii: "b"): quote.insert(.bid)
    case UInt8(ascii: "a"): quote.insert(.ask)
    case UInt8(ascii: "u"): quote.insert(.update)
    default: break
    }
  }

  private mutating func takeInterval(
    from scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) {
    var object = try scanner.enterObject()
    while let key = try scanner.nextKey(&object) {
      let value = try scanner.skipValue()
      if scanner.singleByteName(key) == UInt8(ascii: "i"), value.kind == .string { interval = value }
    }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether a string's text is this one. Escapes are looked through.
  func isEqual(_ string: JSONValue, to text: StaticString) -> Bool {
    let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    if string.hasEscapes {
      return JSONString.text(UnsafeBufferPointer(rebasing: self[string.contents]))?.elementsEqual(wanted)
        ?? false
    }
    return string.contents.count == wanted.count && self[string.contents].elementsEqual(wanted)
  }
}
