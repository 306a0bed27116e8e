import Base
import Ticks

/// The exchange's answer to a request such as SUBSCRIBE.
package struct RequestAnswer: Equatable, Sendable {
  /// Why the request was refused.
  package struct Failure: Equatable, Sendable {
    package var code: Int64?
    /// The exchange's words; at most ``RequestAnswer/longestMessage`` bytes of them.
    package var message: String

    package init(code: Int64?, message: String) {
      self.code = code
      self.message = message
    }
  }

  /// Bytes of a failure's message that are kept.
  package static let longestMessage = 200

  /// The request's, if it is a whole number.
  package var id: Int64?
  /// Nil if the request was granted.
  package var failure: Failure?

  package init(id: Int64?, failure: Failure? = nil) {
    self.id = id
    self.failure = failure
  }
}

/// The members of an object that make it an answer.
///
/// The exchange's documents show refusals as `{"code":2,"msg":"…","id":1}`, its servers send
/// `{"error":{"code":2,"msg":"…"},"id":1}`; either may come without an id if the request could not be read.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
struct AnswerOutline {
  private var hasResult = false
  private var id: JSONValue?
  private var error: JSONValue?
  private var code: JSONValue?
  private var message: JSONValue?

  mutating func take(key: JSONValue, _ value: JSONValue, _ bytes: UnsafeBufferPointer<UInt8>) {
    if bytes.isEqual(key, to: "result") {
      hasResult = true
    } else if bytes.isEqual(key, to: "id") {
      id = value
    } else if bytes.isEqual(key, to: "error") {
      error = value
    } else if bytes.isEqual(key, to: "code") {
      code = value
    } else if bytes.isEqual(key, to: "msg") {
      message = value
    }
  }

  /// Nil if the object is no answer.
  func answer(_ bytes: UnsafeBufferPointer<UInt8>) -> RequestAnswer? {
    let number = id.flatMap { bytes.integer($0) }
    if let error, let failure = Self.failure(of: error, bytes), failure.isComplete || id != nil {
      return RequestAnswer(id: number, failure: failure.failure)
    }
    if let code, let message, code.kind == .number, message.kind == .string {
      return RequestAnswer(
        id: number,
        failure: .init(code: bytes.integer(code), message: Self.text(message, bytes)))
    }
    return hasResult && id != nil ? RequestAnswer(id: number) : nil
  }

  /// - Returns: complete if it has a code and a message; nil for `null`.
  private static func failure(
    of error: JSONValue, _ bytes: UnsafeBufferPointer<UInt8>
  ) -> (failure: RequestAnswer.Failure, isComplete: Bool)? {
    guard error.kind != .literal else { return nil }
    let text = UnsafeBufferPointer(rebasing: bytes[error.range])
    var members = AnswerOutline()
    var scanner = JSONScanner(text)
    if error.kind == .object, var object = try? scanner.enterObject() {
      while let key = try? scanner.nextKey(&object), let value = try? scanner.skipValue() {
        members.take(key: key, value, text)
      }
    }
    let code = members.code.flatMap { text.integer($0) }
    guard let message = members.message, message.kind == .string else {
      return (.init(code: code, message: shortened(text)), false)
    }
    return (.init(code: code, message: Self.text(message, text)), code != nil)
  }

  private static func text(_ string: JSONValue, _ bytes: UnsafeBufferPointer<UInt8>) -> String {
    let contents = UnsafeBufferPointer(rebasing: bytes[string.contents])
    return shortened(JSONString.replacingLoneSurrogates(contents))
  }

  /// A character that is cut in two becomes U+FFFD.
  private static func shortened(_ text: some Collection<UInt8>) -> String {
    String(decoding: text.prefix(RequestAnswer.longestMessage), as: UTF8.self)
  }
}
