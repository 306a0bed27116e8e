import Base
import Synchronization
import TestSupport

@testable import AWS

/// Answers as a closure says, and remembers what was asked.
final class RoutedTransport: HTTPTransport {
  typealias Handler = @Sendable (HTTPRequest) -> Result<HTTPResponse, TransportError>

  private let handler: Handler
  private let asked = Mutex<[HTTPRequest]>([])

  init(_ handler: @escaping Handler) { self.handler = handler }

  var requests: [HTTPRequest] { asked.withLock { $0 } }

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    asked.withLock { $0.append(request) }
    return try handler(request).get()
  }

  /// Nobody answers: no instance, no container.
  static let deaf = RoutedTransport { _ in .lost }
}

extension CredentialContext {
  static let testNow = 784_111_777

  static func testing(
    _ environment: [String: String] = [:], _ transport: any HTTPTransport = RoutedTransport.deaf,
    endpoints: Endpoints = Endpoints(), clock: any Clock<Duration> = RecordingClock()
  ) -> CredentialContext {
    CredentialContext(
      environment: environment, transport: transport, region: "eu-west-1", endpoints: endpoints, clock: clock,
      now: { testNow })
  }
}

extension HTTPRequest {
  var text: String { String(decoding: body, as: UTF8.self) }

  /// The fields of a form, decoded.
  var form: [String: String] {
    var fields: [String: String] = [:]
    for pair in text.split(separator: "&") {
      let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      fields[String(halves[0])] = String(
        decoding: PercentEncoding.decoded(Array(halves[1].utf8)[...]), as: UTF8.self)
    }
    return fields
  }
}

/// What STS answers.
enum STSAnswer {
  static func keys(_ operation: String, _ number: Int = 1, expiration: String = "1994-11-06T09:49:37Z")
    -> String
  {
    """
    <\(operation)Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><\(operation)Result><Credentials>
    <AccessKeyId>ASIA\(number)</AccessKeyId><SecretAccessKey>role/secret+\(number)</SecretAccessKey>
    <SessionToken>token-\(number)==</SessionToken><Expiration>\(expiration)</Expiration></Credentials>
    </\(operation)Result></\(operation)Response>
    """
  }

  static func error(_ code: String, _ message: String = "words") -> String {
    "<ErrorResponse><Error><Type>Sender</Type><Code>\(code)</Code><Message>\(message)</Message></Error></ErrorResponse>"
  }
}

extension RecordedLogs {
  /// All that was logged, with its metadata.
  var text: String { entries.map { "\($0.message) \($0.metadata)" }.joined(separator: "\n") }
}
