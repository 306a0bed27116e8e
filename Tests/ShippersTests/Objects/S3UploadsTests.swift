import AWS
import Base
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// Stores that know fewer headers than S3.
@Suite struct S3UploadsTests {
  private static let checksum = "x-amz-checksum-sha256"
  private static let condition = "If-None-Match"

  /// A store that refuses some headers in words of its own.
  private final class Fussy: Sendable {
    let s3 = SmallS3()
    let requests = Mutex<[HTTPRequest]>([])
    private let refused: [String]
    private let refusal: @Sendable (String) -> HTTPResponse

    init(_ refused: [String], _ refusal: @escaping @Sendable (_ header: String) -> HTTPResponse) {
      self.refused = refused
      self.refusal = refusal
    }

    var puts: [HTTPRequest] { requests.withLock { $0.filter { $0.method == .put } } }
    var heads: Int { requests.withLock { $0.count { $0.method == .head } } }

    func store(_ logs: RecordedLogs, endpoint: String = "http://store.test") throws -> S3Store {
      let transport = ScriptedTransport { request, _ in self.answer(request) }
      let endpoints = try Endpoints(environment: ["AWS_ENDPOINT_URL_S3": endpoint])
      return S3Store(
        client: S3Client(try transport.client().reached(at: endpoints)), bucket: "bucket", logger: logs.logger
      )
    }

    private func answer(_ request: HTTPRequest) -> HTTPResponse {
      requests.withLock { $0.append(request) }
      if request.method == .put, let header = refused.first(where: { request.headers[$0] != nil }) {
        return refusal(header)
      }
      return s3.answer(request)
    }
  }

  private static func named(_ header: String) -> HTTPResponse {
    .answer(
      400, [:],
      "<Error><Code>InvalidArgument</Code><Message>Unsupported header '\(header.lowercased())' received for this API call.</Message></Error>"
    )
  }

  private static func nameless(_ header: String) -> HTTPResponse { .answer(501) }
  private static func bare(_ header: String) -> HTTPResponse { .answer(400) }
  private static func asS3(_ header: String) -> HTTPResponse {
    .answer(
      501, [:],
      "<Error><Code>NotImplemented</Code><Message>A header you provided implies functionality that is not implemented</Message><Header>\(header)</Header></Error>"
    )
  }

  private func object(_ key: String) -> NewObject {
    var builder = BatchBuilder(first: .first, settings: .test())
    _ = builder.addBad(TickPage.BadRow(offset: .first, cause: "", payload: []))
    return NewObject(builder.finish(), key: key, logID: LogID(rawValue: "0123456789abcdef"))
  }

  @Test(
    arguments: [
      ([checksum], named), ([checksum], nameless), ([condition], named), ([condition], bare),
      ([condition], asS3),
      ([condition], nameless), ([checksum, condition], named), ([checksum, condition], bare),
    ] as [([String], @Sendable (String) -> HTTPResponse)])
  func `a header that is refused is left out, for data and notes, remembered and said once`(
    refused: [String], refusal: @escaping @Sendable (String) -> HTTPResponse
  ) async throws {
    let fussy = Fussy(refused, refusal)
    let logs = RecordedLogs()
    let store = try fussy.store(logs)
    #expect(try await store.put(object("p/1")))
    try await store.writeNote("p/_logs/x.json", [1])
    try await store.writeNote("p/_gaps/x.jsonl", [2])
    let after = fussy.puts.count
    #expect(try await store.put(object("p/2")))
    #expect(try await store.put(object("p/1")) == false)
    try await store.writeNote("p/_logs/x.json", [3])
    // From then on each is sent once.
    #expect(fussy.puts.count == after + (refused.contains(Self.condition) ? 2 : 3))
    for request in fussy.puts[after...] {
      #expect(refused.allSatisfy { request.headers[$0] == nil })
      if !refused.contains(Self.checksum) { #expect(request.headers[Self.checksum] != nil) }
    }
    #expect(logs.messages(.warning).count == refused.count)
    #expect(fussy.s3.stored.count == 4)
    // A key that cannot be conditional is looked at first.
    #expect(fussy.heads > 0 || !refused.contains(Self.condition))
  }

  @Test func `a note alone finds out, too`() async throws {
    let fussy = Fussy([Self.checksum], Self.named)
    let logs = RecordedLogs()
    let store = try fussy.store(logs)
    try await store.writeNote("p/_gaps/x.jsonl", [2])
    try await store.writeNote("p/_gaps/x.jsonl", [3])
    #expect(fussy.puts.count == 3)
    #expect(logs.messages(.warning).count == 1)
  }

  @Test(arguments: [
    "https://s3.eu-west-1.amazonaws.com", "https://bucket.vpce-1.s3.eu-west-1.vpce.amazonaws.com",
  ])
  func `at AWS itself nothing is left out`(endpoint: String) async throws {
    let fussy = Fussy([Self.checksum], Self.named)
    let logs = RecordedLogs()
    let store = try fussy.store(logs, endpoint: endpoint)
    await #expect(throws: AWSError.self) { try await store.put(object("p/1")) }
    #expect(fussy.puts.count == 1)
    #expect(logs.entries.isEmpty)
  }

  @Test func `what is refused with and without a header leaves none out`() async throws {
    // Each body, whatever its headers.
    let fussy = Fussy(["Content-Type"], Self.named)
    let logs = RecordedLogs()
    let store = try fussy.store(logs)
    let error = await #expect(throws: AWSError.self) { try await store.put(object("p/1")) }
    #expect(error?.message.contains("content-type") == true)
    #expect(logs.entries.isEmpty)
    #expect(fussy.s3.stored.isEmpty)
  }

  @Test(arguments: [
    (400, "BadDigest"), (400, "ExpiredToken"), (403, "AccessDenied"), (503, "SlowDown"),
    (500, "InternalError"),
  ])
  func `other trouble is no matter of headers`(status: Int, code: String) async throws {
    let fussy = Fussy(["Content-Type"]) { _ in .s3Error(status, code) }
    let store = try fussy.store(RecordedLogs())
    await #expect(throws: AWSError.self) { try await store.put(object("p/1")) }
    #expect(fussy.puts.count == 1)
  }

  /// A policy with `"Null": {"s3:if-none-match": "true"}`.
  private final class Strict: Sendable {
    let s3 = SmallS3()
    func store() throws -> S3Store {
      let transport = ScriptedTransport { [s3] request, _ in
        if request.method == .put, request.headers["If-None-Match"] == nil {
          return .s3Error(403, "AccessDenied")
        }
        return s3.answer(request)
      }
      return S3Store(client: S3Client(try transport.client()), bucket: "bucket")
    }
  }

  @Test
  func `a policy that demands the condition lets a note be made, and is named when it is to be replaced`()
    async throws
  {
    let strict = Strict()
    let store = try strict.store()
    #expect(try await store.put(object("p/1")))
    try await store.writeNote("p/_logs/x.json", [1])
    #expect(strict.s3.stored.count == 2)
    let error = await #expect(throws: AWSError.self) { try await store.writeNote("p/_logs/x.json", [2]) }
    #expect(error?.code == .accessDenied)
    #expect(
      error?.description.contains("let it leave out the folders _logs and _gaps (p/_logs/x.json)") == true)
  }

  @Test func `doctor puts what run puts`() async throws {
    let strict = Strict()
    let destination = ObjectDestination(
      .s3, .test(compression: .gzip(level: 6)), S3Address(endpoint: "e", bucket: "bucket", prefix: "p"),
      store: try strict.store()
    ) { _ in nil }
    let findings = try await destination.look(writes: true)
    let writing = findings.first { $0.name == "bucket-write" }
    #expect(writing?.verdict == .failed)
    #expect(writing?.summary.contains("demands If-None-Match") == true)

    let fussy = Fussy([Self.checksum], Self.named)
    let other = ObjectDestination(
      .s3, .test(compression: .gzip(level: 6)), S3Address(endpoint: "e", bucket: "bucket", prefix: "p"),
      store: try fussy.store(RecordedLogs())
    ) { _ in nil }
    let found = try await other.look(writes: true).first { $0.name == "bucket-write" }
    #expect(found?.verdict == .warning && found?.summary.contains("refuses x-amz-checksum-sha256") == true)
    let data = try #require(fussy.puts.last { $0.path.hasSuffix("doctor.jsonl.gz") })
    #expect(data.headers["Content-Encoding"] == "gzip" && data.headers["x-amz-meta-rows"] == "0")
    #expect(data.headers[Self.condition] == "*")
  }
}
