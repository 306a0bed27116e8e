import Base
import NIOCore
import NIOHTTP1

/// The request that a client opens with: which streams it names, and in which form it wants them.
struct UpgradeRequest: Equatable, Sendable {
  /// `/stream` wraps each event with its stream's name; `/ws` sends the event alone.
  enum Form: Equatable, Sendable {
    case combined
    case raw
  }

  let form: Form
  let streams: [String]
  let head: HTTPRequestHead

  /// Why a request gets an error answer instead of an upgrade.
  enum Problem: Error, Equatable {
    case malformed
    case notFound
    case noUpgrade
    case tooManyStreams

    var status: HTTPResponseStatus {
      switch self {
      case .malformed, .noUpgrade, .tooManyStreams: .badRequest
      case .notFound: .notFound
      }
    }
  }

  /// Reads the head of a request: all up to and without the empty line.
  init(head text: String) throws(Problem) {
    var lines = text.split(separator: "\r\n", omittingEmptySubsequences: true)
    guard !lines.isEmpty else { throw .malformed }
    let request = lines.removeFirst().split(separator: " ")
    guard request.count == 3, request[0] == "GET", request[2] == "HTTP/1.1" else { throw .malformed }
    var headers = HTTPHeaders()
    for line in lines {
      // The collection of headers traps on a name that is not ASCII.
      guard let colon = line.firstIndex(of: ":"), line[..<colon].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f })
      else {
        throw .malformed
      }
      let value = line[line.index(after: colon)...].drop { $0 == " " }
      headers.add(name: String(line[..<colon]), value: String(value))
    }
    guard headers[canonicalForm: "upgrade"].contains(where: { $0.lowercased() == "websocket" }) else {
      throw .noUpgrade
    }
    (form, streams) = try Self.read(target: String(request[1]))
    guard streams.count <= ClientLimits.streams else { throw .tooManyStreams }
    head = HTTPRequestHead(version: .http1_1, method: .GET, uri: String(request[1]), headers: headers)
  }

  private static func read(target: String) throws(Problem) -> (Form, [String]) {
    let parts = target.split(separator: "?", maxSplits: 1)
    guard let path = parts.first else { throw .notFound }
    if path == "/stream" || path == "/stream/" {
      let query = parts.count > 1 ? parts[1] : ""
      var streams: [String] = []
      for item in query.split(separator: "&") where item.hasPrefix("streams=") {
        streams = try names(item.dropFirst("streams=".count))
      }
      return (.combined, streams)
    }
    if path == "/ws" || path.hasPrefix("/ws/") { return (.raw, try names(path.dropFirst(3))) }
    throw .notFound
  }

  private static func names(_ text: Substring) throws(Problem) -> [String] {
    var names: [String] = []
    for part in text.split(separator: "/") {
      guard let name = percentDecoded(part) else { throw .malformed }
      names.append(contentsOf: name.split(separator: "/").map(String.init))
    }
    return names
  }

  private static func percentDecoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = text.utf8[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = rest.popFirst().flatMap(HexDigit.value),
        let low = rest.popFirst().flatMap(HexDigit.value)
      else { return nil }
      bytes.append(high << 4 | low)
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
