import Base

/// The text of a request that a signature covers.
///
/// Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, step 1
struct CanonicalRequest {
  /// The ways in which a path becomes canonical.
  enum Path: Sendable {
    /// S3: as it is sent.
    case asSent
    /// Encoded once more, dots and double slashes kept.
    case encoded
    /// Dots and double slashes resolved, then encoded once more.
    case normalized
  }

  private(set) var bytes: [UInt8] = []
  private(set) var signedHeaders: Range<Int> = 0..<0

  init(
    method: HTTPRequest.Method, path: String, pathStyle: Path, query: String, headers: HTTPHeaders,
    payload: Digest
  ) {
    bytes.reserveCapacity(1_024)
    bytes.append(contentsOf: method.rawValue.utf8)
    bytes.append(Self.newline)
    appendPath(path, pathStyle)
    bytes.append(Self.newline)
    if !query.isEmpty { appendQuery(query) }
    bytes.append(Self.newline)
    appendHeaders(headers)
    bytes.append(Self.newline)
    payload.appendHex(to: &bytes)
  }

  private static let newline = UInt8(ascii: "\n")
  private static let slash = UInt8(ascii: "/")

  private mutating func appendPath(_ path: String, _ style: Path) {
    switch style {
    case .asSent: bytes.append(contentsOf: path.utf8)
    case .encoded: PercentEncoding.append(path.utf8, keepingSlashes: true, to: &bytes)
    case .normalized:
      PercentEncoding.append(Self.normalized(Array(path.utf8)), keepingSlashes: true, to: &bytes)
    }
  }

  private static func normalized(_ path: [UInt8]) -> [UInt8] {
    if path == [slash] { return path }
    var segments: [ArraySlice<UInt8>] = []
    for segment in path.split(separator: slash) {
      if segment.elementsEqual("..".utf8) {
        _ = segments.popLast()
      } else if !segment.elementsEqual(".".utf8) {
        segments.append(segment)
      }
    }
    var result = segments.flatMap { [slash] + $0 }
    if result.isEmpty || path.last == slash { result.append(slash) }
    return result
  }

  private mutating func appendQuery(_ query: String) {
    let pairs = Array(query.utf8).split(separator: UInt8(ascii: "&")).map { pair in
      let halves = pair.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
      return (name: Self.encodedAgain(halves[0]), value: halves.count > 1 ? Self.encodedAgain(halves[1]) : [])
    }.sorted { left, right in
      left.name == right.name
        ? left.value.lexicographicallyPrecedes(right.value) : left.name.lexicographicallyPrecedes(right.name)
    }
    for (index, pair) in pairs.enumerated() {
      if index > 0 { bytes.append(UInt8(ascii: "&")) }
      bytes.append(contentsOf: pair.name)
      bytes.append(UInt8(ascii: "="))
      bytes.append(contentsOf: pair.value)
    }
  }

  private static func encodedAgain(_ text: ArraySlice<UInt8>) -> [UInt8] {
    var encoded: [UInt8] = []
    PercentEncoding.append(PercentEncoding.decoded(text), keepingSlashes: false, to: &encoded)
    return encoded
  }

  /// The header lines, an empty line, then the names. Fields of one name are joined in the order they are sent.
  private mutating func appendHeaders(_ headers: HTTPHeaders) {
    let order = Self.sorted(headers)
    for (position, field) in order.enumerated() {
      let isRepeated = position > 0 && Self.order(headers, order[position - 1], field) == 0
      if isRepeated {
        bytes.append(UInt8(ascii: ","))
      } else {
        if position > 0 { bytes.append(Self.newline) }
        appendName(headers, field)
        bytes.append(UInt8(ascii: ":"))
      }
      appendValue(headers.bytes[field.value])
    }
    bytes.append(Self.newline)
    bytes.append(Self.newline)

    let start = bytes.count
    for (position, field) in order.enumerated() {
      if position > 0 {
        if Self.order(headers, order[position - 1], field) == 0 { continue }
        bytes.append(UInt8(ascii: ";"))
      }
      appendName(headers, field)
    }
    signedHeaders = start..<bytes.count
  }

  private mutating func appendName(_ headers: HTTPHeaders, _ field: HTTPHeaders.Field) {
    for byte in headers.bytes[field.name] { bytes.append(HTTPHeaders.lowercased(byte)) }
  }

  /// Without white space at the ends, and with one space for any run of it inside.
  private mutating func appendValue(_ value: ArraySlice<UInt8>) {
    let start = bytes.count
    var pendingSpace = false
    for byte in value {
      if byte == 0x20 || (9...13).contains(byte) {
        pendingSpace = bytes.count > start
      } else {
        if pendingSpace { bytes.append(0x20) }
        pendingSpace = false
        bytes.append(byte)
      }
    }
  }

  private static func sorted(_ headers: HTTPHeaders) -> [HTTPHeaders.Field] {
    var order = headers.fields
    // A handful of fields: insertion keeps equal names in their order and allocates nothing.
    for next in order.indices.dropFirst() {
      var position = next
      while position > 0, Self.order(headers, order[position], order[position - 1]) < 0 {
        order.swapAt(position, position - 1)
        position -= 1
      }
    }
    return order
  }

  private static func order(
    _ headers: HTTPHeaders, _ left: HTTPHeaders.Field, _ right: HTTPHeaders.Field
  ) -> Int {
    let count = min(left.name.count, right.name.count)
    for offset in 0..<count {
      let left = HTTPHeaders.lowercased(headers.bytes[left.name.lowerBound + offset])
      let right = HTTPHeaders.lowercased(headers.bytes[right.name.lowerBound + offset])
      if left != right { return left < right ? -1 : 1 }
    }
    return left.name.count - right.name.count
  }
}
