import AWS
import Base
import Foundation
import ShippingFixtures
import Synchronization
import Testing
import WAL

@testable import Shippers

/// Answers requests by a closure and remembers them.
final class ScriptedTransport: HTTPTransport {
  typealias Answerer = @Sendable (HTTPRequest, _ number: Int) async throws -> HTTPResponse

  private let answer: Answerer
  private let submits: Bool
  private let sent = Mutex<[HTTPRequest]>([])

  /// - Parameter submits: whether it takes requests that no task waits for.
  init(submits: Bool = false, _ answer: @escaping Answerer) {
    self.submits = submits
    self.answer = answer
  }

  var requests: [HTTPRequest] { sent.withLock { $0 } }

  func send(_ request: HTTPRequest) async throws -> HTTPResponse {
    let number = sent.withLock { sent in
      sent.append(request)
      return sent.count
    }
    return try await answer(request, number)
  }

  func submit(_ request: HTTPRequest, _ completion: @escaping AnswerCompletion) -> CallOff? {
    guard submits else { return nil }
    let task = Task {
      let answer: Result<HTTPResponse, any Error>
      do {
        answer = .success(try await send(request))
      } catch {
        answer = .failure(error)
      }
      completion(answer)?()
    }
    return { task.cancel() }
  }

  func client() throws -> AWSClient {
    AWSClient(
      transport: self, credentials: FixedKeys(), region: "eu-west-1",
      endpoints: try Endpoints(environment: ["AWS_ENDPOINT_URL": "http://aws.test"]),
      now: { Int(someTime / 1_000_000) })
  }

  private struct FixedKeys: CredentialProvider {
    func credentials() async throws -> Credentials {
      Credentials(accessKeyID: "AKID", secretAccessKey: "secret", source: "test")
    }
  }
}

extension HTTPResponse {
  /// With the date of `someTime`, as a server whose clock agrees.
  static func answer(_ status: Int, _ headers: [String: String] = [:], _ body: String = "") -> HTTPResponse {
    var head = "Date: Sat, 21 Nov 2026 05:13:20 GMT\r\n"
    for (name, value) in headers { head += "\(name): \(value)\r\n" }
    return HTTPResponse(status: status, head: Array("\(head)\r\n".utf8), body: Array(body.utf8))
  }

  static func s3Error(_ status: Int, _ code: String) -> HTTPResponse {
    answer(status, [:], "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>m</Message></Error>")
  }

  static func dynamoError(_ status: Int, _ code: String, _ message: String = "m") -> HTTPResponse {
    answer(
      status, [:], "{\"__type\":\"com.amazonaws.dynamodb.v20120810#\(code)\",\"message\":\"\(message)\"}")
  }
}

/// A small S3: conditional puts, heads and gets of what was put.
final class SmallS3: Sendable {
  struct Stored {
    let request: HTTPRequest
    let metadata: [String: String]
  }

  private static let metadataNames = ["log-id", "first-offset", "last-offset", "rows", "sha256"]
  private let objects = Mutex<[String: Stored]>([:])
  /// Whether it knows conditional writes.
  let isConditional: Bool

  init(isConditional: Bool = true) { self.isConditional = isConditional }

  var stored: [String: Stored] { objects.withLock { $0 } }
  func removeAll() { objects.withLock { $0 = [:] } }

  func answer(_ request: HTTPRequest) -> HTTPResponse {
    objects.withLock { objects in
      let known = objects[request.path]
      switch request.method {
      case .put:
        if request.headers["If-None-Match"] == "*" {
          guard isConditional else { return .s3Error(501, "NotImplemented") }
          if known != nil { return .s3Error(412, "PreconditionFailed") }
        }
        var metadata: [String: String] = [:]
        for name in Self.metadataNames { metadata[name] = request.headers["x-amz-meta-\(name)"] }
        objects[request.path] = Stored(request: request, metadata: metadata)
        return .answer(200, ["ETag": "\"e\""])
      // The bucket itself.
      case .head where request.path.split(separator: "/").count == 1: return .answer(200)
      case .head:
        guard let known else { return .answer(404) }
        var headers = ["ETag": "\"e\""]
        for (name, value) in known.metadata { headers["x-amz-meta-\(name)"] = value }
        return .answer(200, headers)
      case .get where request.query.contains("list-type=2"): return Self.list(objects.keys, request)
      case .get:
        guard let known else { return .s3Error(404, "NoSuchKey") }
        return .answer(200, ["ETag": "\"e\""], String(decoding: known.request.body, as: UTF8.self))
      default: return .s3Error(405, "MethodNotAllowed")
      }
    }
  }

  /// Two keys a page.
  private static func list(_ paths: some Sequence<String>, _ request: HTTPRequest) -> HTTPResponse {
    let pairs = request.query.split(separator: "&").map {
      $0.split(separator: "=", omittingEmptySubsequences: false)
    }
    let asked = Dictionary(
      uniqueKeysWithValues: pairs.map { (String($0[0]), $0[1].removingPercentEncoding ?? "") })
    let after = asked["continuation-token"] ?? asked["start-after"] ?? ""
    let bucket = request.path.hasSuffix("/") ? request.path : request.path + "/"
    let keys = paths.filter { $0.hasPrefix(bucket) }.compactMap {
      $0.dropFirst(bucket.count).removingPercentEncoding
    }
    .filter { $0.hasPrefix(asked["prefix"] ?? "") && $0 > after }.sorted()
    var xml = keys.prefix(2).map { "<Contents><Key>\($0)</Key></Contents>" }.joined()
    if keys.count > 2 {
      xml += "<IsTruncated>true</IsTruncated><NextContinuationToken>\(keys[1])</NextContinuationToken>"
    }
    return .answer(200, [:], "<ListBucketResult>\(xml)</ListBucketResult>")
  }
}
