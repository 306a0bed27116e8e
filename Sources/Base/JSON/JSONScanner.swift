/// The place where a text stopped being JSON, and what was wanted there.
package struct JSONError: Error, Equatable, CustomStringConvertible {
  /// Bytes from the start of the text.
  package let position: Int
  package let expected: StaticString

  package var description: String { "invalid JSON at byte \(position): expected \(expected)" }

  package static func == (left: JSONError, right: JSONError) -> Bool {
    left.position == right.position && left.expected.description == right.expected.description
  }
}

/// A value as it stands in the text: its bytes (quotes included) and its kind.
package struct JSONValue: Equatable, Sendable {
  package enum Kind: UInt8, Sendable {
    case object, array, string, number, literal
  }

  package let range: Range<Int>
  package let kind: Kind
  /// For strings: a backslash occurs in it.
  package let hasEscapes: Bool

  package init(range: Range<Int>, kind: Kind, hasEscapes: Bool) {
    self.range = range
    self.kind = kind
    self.hasEscapes = hasEscapes
  }

  /// For strings: the bytes between the quotes.
  package var contents: Range<Int> { range.lowerBound + 1..<range.upperBound - 1 }
}

/// Walks over one JSON text and checks every byte of it, without building anything.
///
/// The caller pulls: `enterObject`, `nextKey`, then either `skipValue` or a nested `enter…`;
/// `finish` checks that nothing but white space follows. Depth is bounded by the text's length alone.
///
/// Reference: RFC 8259; UTF-8 as in RFC 3629, section 4.
package struct JSONScanner {
  package let bytes: UnsafeBufferPointer<UInt8>
  package private(set) var position = 0

  /// - Parameter bytes: must outlive the scanner.
  package init(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
  }

  /// Whether a first member or element is still to come; one for each container being walked.
  package struct Container: Sendable {
    var isFirst = true
  }

  /// Checks a whole text.
  package static func validate(_ bytes: UnsafeBufferPointer<UInt8>) throws(JSONError) -> JSONValue {
    var scanner = JSONScanner(bytes)
    let value = try scanner.skipValue()
    try scanner.finish()
    return value
  }

  // MARK: Walking

  /// The kind of the value that comes next, by its first byte.
  package mutating func peekKind() throws(JSONError) -> JSONValue.Kind {
    skipWhiteSpace()
    guard let current else { throw error("a value") }
    switch current {
    case UInt8(ascii: "{"): return .object
    case UInt8(ascii: "["): return .array
    case UInt8(ascii: "\""): return .string
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number
    case UInt8(ascii: "t"), UInt8(ascii: "f"), UInt8(ascii: "n"): return .literal
    default: throw error("a value")
    }
  }

  package mutating func enterObject() throws(JSONError) -> Container {
    skipWhiteSpace()
    try take(UInt8(ascii: "{"), "'{'")
    return Container()
  }

  package mutating func enterArray() throws(JSONError) -> Container {
    skipWhiteSpace()
    try take(UInt8(ascii: "["), "'['")
    return Container()
  }

  /// The next member's key, with the scanner standing before its value; `nil` after the last.
  package mutating func nextKey(_ object: inout Container) throws(JSONError) -> JSONValue? {
    skipWhiteSpace()
    if object.isFirst {
      object.isFirst = false
      if takeIf(UInt8(ascii: "}")) { return nil }
    } else {
      if takeIf(UInt8(ascii: "}")) { return nil }
      try take(UInt8(ascii: ","), "',' or '}'")
      skipWhiteSpace()
    }
    let key = try scanString()
    skipWhiteSpace()
    try take(UInt8(ascii: ":"), "':'")
    skipWhiteSpace()
    return key
  }

  /// Whether another element follows, with the scanner standing before it.
  package mutating func nextElement(_ array: inout Container) throws(JSONError) -> Bool {
    skipWhiteSpace()
    if takeIf(UInt8(ascii: "]")) { return false }
    if array.isFirst {
      array.isFirst = false
    } else {
      try take(UInt8(ascii: ","), "',' or ']'")
      skipWhiteSpace()
      if current == UInt8(ascii: "]") { throw error("a value") }
    }
    return true
  }

  /// Checks the next value and steps over it, whatever it is.
  package mutating func skipValue() throws(JSONError) -> JSONValue {
    let kind = try peekKind()
    let start = position
    switch kind {
    case .string: return try scanString()
    case .number: try scanNumber()
    case .literal: try scanLiteral()
    case .object, .array: try skipContainer()
    }
    return JSONValue(range: start..<position, kind: kind, hasEscapes: false)
  }

  /// Checks that only white space is left.
  package mutating func finish() throws(JSONError) {
    skipWhiteSpace()
    if position < bytes.count { throw error("the end of the text") }
  }

  // MARK: Containers

  /// Steps over an object or array with its own stack of bits, so that deep nesting cannot
  /// exhaust the thread's stack.
  private mutating func skipContainer() throws(JSONError) {
    var nesting = NestingStack()
    nesting.push(isObject: current == UInt8(ascii: "{"))
    position += 1
    var container = Container()
    while !nesting.isEmpty {
      if nesting.isObject {
        guard try nextKey(&container) != nil else {
          nesting.pop()
          container.isFirst = false
          continue
        }
      } else {
        guard try nextElement(&container) else {
          nesting.pop()
          container.isFirst = false
          continue
        }
      }
      switch try peekKind() {
      case .string: _ = try scanString()
      case .number: try scanNumber()
      case .literal: try scanLiteral()
      case .object:
        nesting.push(isObject: true)
        position += 1
        container.isFirst = true
      case .array:
        nesting.push(isObject: false)
        position += 1
        container.isFirst = true
      }
    }
  }

  // MARK: Scalars

  private mutating func scanLiteral() throws(JSONError) {
    switch current {
    case UInt8(ascii: "t"): try takeWord("true")
    case UInt8(ascii: "f"): try takeWord("false")
    default: try takeWord("null")
    }
  }

  private mutating func takeWord(_ word: StaticString) throws(JSONError) {
    let length = word.utf8CodeUnitCount
    guard position + length <= bytes.count else { throw error("true, false or null") }
    for index in 0..<length where bytes[position + index] != word.utf8Start[index] {
      throw error("true, false or null")
    }
    position += length
  }

  private mutating func scanNumber() throws(JSONError) {
    _ = takeIf(UInt8(ascii: "-"))
    if !takeIf(UInt8(ascii: "0")) {
      try takeDigits()
    }
    if takeIf(UInt8(ascii: ".")) {
      try takeDigits()
    }
    if takeIf(UInt8(ascii: "e")) || takeIf(UInt8(ascii: "E")) {
      if !takeIf(UInt8(ascii: "+")) { _ = takeIf(UInt8(ascii: "-")) }
      try takeDigits()
    }
  }

  private mutating func takeDigits() throws(JSONError) {
    let start = position
    while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
    if position == start { throw error("a digit") }
  }

  private mutating func scanString() throws(JSONError) -> JSONValue {
    let start = position
    try take(UInt8(ascii: "\""), "'\"'")
    var hasEscapes = false
    while true {
      position = PlainText.end(in: bytes, from: position)
      guard position < bytes.count else { break }
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") {
        position += 1
        return JSONValue(range: start..<position, kind: .string, hasEscapes: hasEscapes)
      }
      if byte == UInt8(ascii: "\\") {
        hasEscapes = true
        try scanEscape()
      } else if byte < 0x20 {
        throw error("no control character in a string")
      } else if byte < 0x80 {
        position += 1
      } else {
        try scanMultibyte()
      }
    }
    throw error("the end of a string")
  }

  private mutating func scanEscape() throws(JSONError) {
    position += 1
    switch current {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      position += 1
    case UInt8(ascii: "u"):
      position += 1
      for _ in 0..<4 {
        guard let byte = current, HexDigit.value(byte) != nil else { throw error("four hex digits") }
        position += 1
      }
    default:
      throw error("an escape")
    }
  }

  /// One character of two to four bytes: no overlong form, no surrogate, nothing above U+10FFFF.
  private mutating func scanMultibyte() throws(JSONError) {
    let lead = bytes[position]
    let length: Int
    var second: ClosedRange<UInt8> = 0x80...0xBF
    switch lead {
    case 0xC2...0xDF: length = 2
    case 0xE0: (length, second) = (3, 0xA0...0xBF)
    case 0xE1...0xEC, 0xEE...0xEF: length = 3
    case 0xED: (length, second) = (3, 0x80...0x9F)
    case 0xF0: (length, second) = (4, 0x90...0xBF)
    case 0xF1...0xF3: length = 4
    case 0xF4: (length, second) = (4, 0x80...0x8F)
    default: throw error("UTF-8")
    }
    guard position + length <= bytes.count, second.contains(bytes[position + 1]) else { throw error("UTF-8") }
    var index = 2
    while index < length {
      guard bytes[position + index] & 0xC0 == 0x80 else { throw error("UTF-8") }
      index += 1
    }
    position += length
  }

  // MARK: Bytes

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  @inline(__always)
  private mutating func skipWhiteSpace() {
    // All of them are at most a space, and hardly any exchange sends one.
    if position < bytes.count, bytes[position] <= 0x20 { skipSomeWhiteSpace() }
  }

  private mutating func skipSomeWhiteSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x0A, 0x0D, 0x09: position += 1
      default: return
      }
    }
  }

  @inline(__always)
  private mutating func take(_ byte: UInt8, _ expected: StaticString) throws(JSONError) {
    guard current == byte else { throw error(expected) }
    position += 1
  }

  @inline(__always)
  private mutating func takeIf(_ byte: UInt8) -> Bool {
    guard current == byte else { return false }
    position += 1
    return true
  }

  @inline(never)
  private func error(_ expected: StaticString) -> JSONError {
    JSONError(position: position, expected: expected)
  }
}

/// One bit for each open container; the first 64 need no heap.
private struct NestingStack {
  private var top: UInt64 = 0
  private var depth = 0
  private var spilled: [UInt64] = []

  var isEmpty: Bool { depth == 0 }
  var isObject: Bool { top & 1 == 1 }

  mutating func push(isObject: Bool) {
    if depth > 0, depth % 64 == 0 {
      spilled.append(top)
      top = 0
    }
    top = top << 1 | (isObject ? 1 : 0)
    depth += 1
  }

  mutating func pop() {
    depth -= 1
    top >>= 1
    if depth > 0, depth % 64 == 0 { top = spilled.removeLast() }
  }
}
