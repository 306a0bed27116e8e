/// The header fields of one request, kept as wire bytes, in the order they were added.
///
/// Names and values are stored as UTF-8. A name that is no token, or a value with a control character, is
/// remembered and makes the transport refuse the request, so that no value can smuggle a header in.
///
/// Reference: RFC 9110 §5.
package struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
  struct Field {
    var name: Range<Int>
    var value: Range<Int>
  }

  /// `name: value` lines, each ended by a zero byte, the form that curl takes.
  private(set) var bytes: [UInt8] = []
  private(set) var fields: [Field] = []
  private(set) var isWellFormed = true

  package init() {
    bytes.reserveCapacity(512)
    fields.reserveCapacity(12)
  }

  package init(dictionaryLiteral elements: (String, String)...) {
    self.init()
    for (name, value) in elements { add(name, value) }
  }

  /// Adds a field; one of the same name stays and both are sent.
  package mutating func add(_ name: String, _ value: String) {
    add(name.utf8, value.utf8)
  }

  mutating func add(_ name: some Collection<UInt8>, _ value: some Collection<UInt8>) {
    let start = bytes.count
    lineStarts.append(start)
    bytes.append(contentsOf: name)
    let nameEnd = bytes.count
    // To curl `name:` means "leave this header out"; `name;` sends it without a value.
    if value.isEmpty {
      bytes.append(UInt8(ascii: ";"))
    } else {
      bytes.append(UInt8(ascii: ":"))
      bytes.append(UInt8(ascii: " "))
    }
    let valueStart = bytes.count
    bytes.append(contentsOf: value)
    let valueEnd = bytes.count
    bytes.append(0)
    fields.append(Field(name: start..<nameEnd, value: valueStart..<valueEnd))
    isWellFormed =
      isWellFormed && start < nameEnd && bytes[start..<nameEnd].allSatisfy(Self.isToken)
      && bytes[valueStart..<valueEnd].allSatisfy { $0 == 9 || ($0 >= 0x20 && $0 != 0x7f) }
  }

  /// The start of each line in `bytes`.
  private(set) var lineStarts: [Int] = []

  /// Has curl leave out a header that it would add by itself. Not a field: it is neither signed nor sent.
  mutating func omit(_ name: StaticString) {
    lineStarts.append(bytes.count)
    name.withUTF8Buffer { bytes.append(contentsOf: $0) }
    bytes.append(UInt8(ascii: ":"))
    bytes.append(0)
  }

  /// The value of the first field of that name, compared without regard to case.
  package subscript(name: String) -> String? {
    for field in fields where Self.equal(bytes[field.name], name.utf8) {
      return String(decoding: bytes[field.value], as: UTF8.self)
    }
    return nil
  }

  func contains(_ name: StaticString) -> Bool {
    name.withUTF8Buffer { name in fields.contains { Self.equal(bytes[$0.name], name) } }
  }

  static func equal(_ left: some Collection<UInt8>, _ right: some Collection<UInt8>) -> Bool {
    left.count == right.count && zip(left, right).allSatisfy { lowercased($0) == lowercased($1) }
  }

  static func lowercased(_ byte: UInt8) -> UInt8 {
    byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
  }

  private static func isToken(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default:
      false
    }
  }
}
