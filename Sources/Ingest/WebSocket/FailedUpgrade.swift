import Base
import NIOCore
import NIOHTTP1

/// A server's answer that is not the upgrade, for a message that says what it was.
///
/// Reference: RFC 9110, section 15; RFC 9112, section 6
struct FailedUpgrade: Equatable {
  private let status: Int
  private let location: String?
  /// Bytes after which nothing more is waited for.
  private let expected: Int
  private let isChunked: Bool
  private let retryAfter: RetryAfter?

  /// The bytes of the body that are read and reported.
  static let maximumBody = 300

  init(_ head: HTTPResponseHead) {
    status = Int(head.status.code)
    location = head.headers.first(name: "Location")
    isChunked = head.headers[canonicalForm: "Transfer-Encoding"].contains { $0.lowercased() == "chunked" }
    // What other answers ask for is back-off's to decide.
    let isAboutPace = status == 429 || status == 418
    retryAfter =
      isAboutPace ? head.headers.first(name: "Retry-After").flatMap(RetryAfter.init) : nil
    switch head.status {
    case .noContent, .notModified: expected = 0
    default:
      // What is no number, or a larger one: then as much is awaited as is reported.
      let length =
        isChunked
        ? nil
        : head.headers.first(name: "Content-Length").flatMap {
          DecimalDigits.parse($0, upTo: Self.maximumBody)
        }
      expected = length ?? Self.maximumBody
    }
  }

  /// True once enough of the body is there; a server that keeps the connection open may send no more.
  func isComplete(_ body: ByteBuffer) -> Bool {
    body.readableBytes >= expected
      || isChunked && body.readableBytesView.suffix(5).elementsEqual("0\r\n\r\n".utf8)
  }

  func error(_ body: ByteBuffer) -> FeedError {
    let place = location.map { " and sends to \(Text.oneLine(bytes: $0.utf8, limit: 200))" } ?? ""
    let said = Text.oneLine(bytes: body.readableBytesView, limit: Self.maximumBody)
    return FeedError(
      .refused(status: status),
      "the server answered with HTTP status \(status)\(place)\(said.isEmpty ? "" : ": \(said)")",
      retryAfter: retryAfter)
  }
}
