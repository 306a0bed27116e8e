import Base

/// One complete answer.
package struct HTTPResponse: Sendable {
  package var status: Int
  package var body: [UInt8]
  /// The header lines as received, each with its line end; without the status line.
  let head: [UInt8]

  package init(status: Int, head: [UInt8] = [], body: [UInt8] = []) {
    self.status = status
    self.head = head
    self.body = body
  }

  /// The value of the first header of that name, without surrounding white space.
  package func header(_ name: String) -> String? {
    value(name.utf8).map { String(decoding: $0, as: UTF8.self) }
  }

  /// The server's `Date`, epoch seconds UTC.
  package var date: Int? {
    value("date".utf8).flatMap { HTTPDate.epochSeconds($0) }
  }

  /// All headers whose name starts with `prefix`; names in lower case, without the prefix.
  func headers(prefix: String) -> [String: String] {
    var found: [String: String] = [:]
    let prefix = Array(prefix.utf8)
    for line in head.split(separator: UInt8(ascii: "\n")) {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let name = line[..<colon].map(HTTPHeaders.lowercased)
      guard name.starts(with: prefix) else { continue }
      let key = String(decoding: name.dropFirst(prefix.count), as: UTF8.self)
      found[key] = String(decoding: Self.trimmed(line[(colon + 1)...]), as: UTF8.self)
    }
    return found
  }

  private func value(_ name: String.UTF8View) -> ArraySlice<UInt8>? {
    var start = head.startIndex
    while start < head.endIndex {
      let end = head[start...].firstIndex(of: UInt8(ascii: "\n")) ?? head.endIndex
      let line = head[start..<end]
      if line.count > name.count, line[start + name.count] == UInt8(ascii: ":"),
        HTTPHeaders.equal(line.prefix(name.count), name)
      {
        return Self.trimmed(line[(start + name.count + 1)...])
      }
      start = end + 1
    }
    return nil
  }

  private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    var bytes = bytes.drop { $0 == 0x20 || $0 == 9 }
    while let last = bytes.last, last == 0x20 || last == 9 || last == 13 { bytes.removeLast() }
    return bytes
  }
}
