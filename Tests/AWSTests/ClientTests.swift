import Base
import Synchronization
import Testing

@testable import AWS

/// The retry loop, the credentials and the clock as the service clients use them.
@Suite struct ClientTests {
  static let now = 784_111_777
  static let date = "Sun, 06 Nov 1994 08:49:37 GMT"
  static let ok = Result<HTTPResponse, TransportError>.answer(
    200, ["Date": date, "x-amzn-RequestId": "R1"], "{}")

  final class Failures: Sendable {
    private let list = Mutex<[Retry.Failure]>([])
    var all: [Retry.Failure] { list.withLock { $0 } }
    func add(_ failure: Retry.Failure) { list.withLock { $0.append(failure) } }
    func forever() -> Retry { .forever { self.add($0) } }
  }

  let clock = RecordingClock()
  let failures = Failures()

  private func client(
    _ transport: ScriptedTransport,
    _ provider: CountingProvider = CountingProvider { _ in CountingProvider.keys(1) },
    environment: [String: String] = [:], now: Int = ClientTests.now
  ) throws -> AWSClient {
    let clock = clock
    // The wall clock moves with the waits.
    return AWSClient(
      transport: transport, credentials: provider, region: "eu-west-1",
      endpoints: try Endpoints(environment: environment), clock: clock,
      now: { now + Int(clock.now.offset.components.seconds) })
  }

  @Test func `a success is signed once and tells the server's time`() async throws {
    let transport = ScriptedTransport(Self.ok)
    let answer = try await DynamoDBClient(client(transport)).updateItem(
      body: Array("{}".utf8), retry: failures.forever())
    #expect(answer == Answer(date: Self.now, requestID: "R1"))
    let request = try #require(transport.requests.first)
    #expect(transport.requests.count == 1)
    #expect(failures.all.isEmpty)
    #expect(request.endpoint.description == "https://dynamodb.eu-west-1.amazonaws.com")
    #expect(request.headers["X-Amz-Target"] == "DynamoDB_20120810.UpdateItem")
    #expect(request.headers["Content-Type"] == "application/x-amz-json-1.0")
    #expect(
      request.headers["Authorization"]?.hasPrefix(
        "AWS4-HMAC-SHA256 Credential=AKID1/19941106/eu-west-1/dynamodb/aws4_request, "
          + "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=") == true)
  }

  @Test(
    arguments: [
      (#"{"UnprocessedItems":{}}"#, []), (#"{ "UnprocessedItems": { } }"#, []), ("{}", []),
      (#"{"UnprocessedItems":{"t":[]}}"#, []),
      (
        #"{"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"k":{"S":"a"},"n":{"N":"1.5"}}}},{"DeleteRequest":{}}]}}"#,
        [["k": .string("a"), "n": .number("1.5")], [:]]
      ),
    ] as [(String, [DynamoItem])])
  func `what a batch leaves undone is told`(body: String, left: [DynamoItem]) async throws {
    let transport = ScriptedTransport(.answer(200, [:], body))
    let written = try await DynamoDBClient(client(transport)).batchWriteItem(body: [], table: "t")
    #expect(written.unprocessed == left)
    #expect(transport.requests[0].headers["X-Amz-Target"] == "DynamoDB_20120810.BatchWriteItem")
  }

  @Test func `an answer to a batch that does not say what it leaves undone is none`() async throws {
    let transport = ScriptedTransport(.answer(200, [:], #"{"UnprocessedItems":3}"#))
    let error = await #expect(throws: AWSError.self) {
      try await DynamoDBClient(client(transport)).batchWriteItem(body: [], table: "t")
    }
    #expect(error?.code == .unexpectedAnswer && error?.resource == .table("t", region: "eu-west-1"))
  }

  @Test func `what is submitted is signed, judged and counted as what is called`() async throws {
    let transport = ScriptedTransport(
      Self.ok, .lost, .answer(400, [:], ClassifierTests.json("ThrottlingException")), Self.ok)
    let client = DynamoDBClient(try client(transport))
    let results = Mutex<[Result<Answer, any Error>]>([])
    func submit() -> CallOff? {
      client.submitUpdateItem(body: Array("{}".utf8)) { result in
        results.withLock { $0.append(result) }
        return nil
      }
    }
    // Nobody has asked for keys yet, which takes a task.
    #expect(submit() == nil)
    #expect(transport.requests.isEmpty)
    _ = try await client.updateItem(body: Array("{}".utf8))
    for _ in 0..<3 { #expect(submit() != nil) }
    let all = results.withLock { $0 }
    #expect((all[0].failure as? AWSError)?.code == .transport)
    #expect((all[1].failure as? AWSError)?.kind == .throttled)
    #expect(try all[2].get() == Answer(date: Self.now, requestID: "R1"))
    #expect(transport.requests[3].headers["Authorization"] == transport.requests[0].headers["Authorization"])
    #expect(transport.requests[3].headers["Authorization"] != nil)
  }

  @Test func `without retry a failure is thrown at once`() async throws {
    let transport = ScriptedTransport(.answer(500))
    let error = await #expect(throws: AWSError.self) {
      _ = try await DynamoDBClient(client(transport)).updateItem(body: [])
    }
    #expect(error?.status == 500)
    #expect(transport.requests.count == 1)
    #expect(clock.sleeps.isEmpty)
  }

  @Test func `transient failures are tried until they pass, and each one is reported`() async throws {
    let transport = ScriptedTransport(
      .lost, .answer(500), .answer(503, ["Retry-After": "9"], ClassifierTests.xml("SlowDown")),
      .answer(404, [:], ClassifierTests.json("ResourceNotFoundException")), Self.ok)
    _ = try await DynamoDBClient(client(transport)).updateItem(body: [], retry: failures.forever())
    #expect(failures.all.map(\.attempt) == [1, 2, 3, 4])
    #expect(failures.all.map(\.error.kind) == [.transient, .transient, .throttled, .missing])
    #expect(failures.all.map(\.error.code) == [.transport, .unexpectedAnswer, "SlowDown", .resourceNotFound])
    #expect(clock.sleeps == failures.all.map(\.delay))
    #expect(clock.sleeps[2] >= .seconds(9))
  }

  @Test func `attempts end where they are bounded`() async throws {
    let transport = ScriptedTransport(.lost)
    let retry = Retry(maximumAttempts: 3) { failures.add($0) }
    await #expect(throws: AWSError.self) {
      _ = try await DynamoDBClient(client(transport)).updateItem(body: [], retry: retry)
    }
    #expect(transport.requests.count == 3)
    #expect(failures.all.map { $0.delay == nil } == [false, false, true])
  }

  @Test func `a failure for good is not tried again`() async throws {
    let transport = ScriptedTransport(.answer(400, [:], ClassifierTests.json("x#ValidationException", "bad")))
    let error = await #expect(throws: AWSError.self) {
      _ = try await DynamoDBClient(client(transport)).updateItem(body: [], retry: failures.forever())
    }
    #expect(error?.code == .validation)
    #expect(error?.message == "bad")
    #expect(transport.requests.count == 1)
    #expect(failures.all.map { $0.delay == nil } == [true])
  }

  @Test func `cancelling ends trying`() async throws {
    let transport = ScriptedTransport(.lost)
    let dynamo = DynamoDBClient(try client(transport))
    await withTaskGroup(of: Void.self) { group in
      group.cancelAll()
      group.addTask {
        await #expect(throws: CancellationError.self) {
          _ = try await dynamo.updateItem(body: [], retry: failures.forever())
        }
      }
    }
  }

  @Test(arguments: [
    (403, "ExpiredToken"), (403, "InvalidClientTokenId"), (400, "x#UnrecognizedClientException"),
    (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (403, "AccessDenied"),
  ])
  func `refused keys are read anew for the next attempt`(status: Int, code: String) async throws {
    let transport = ScriptedTransport(.answer(status, [:], ClassifierTests.json(code)), Self.ok)
    let provider = CountingProvider { CountingProvider.keys($0) }
    let dynamo = DynamoDBClient(try client(transport, provider))
    _ = try await dynamo.updateItem(body: [], retry: failures.forever())
    _ = try await dynamo.updateItem(body: [])
    #expect(provider.count == 2)
    let ids = transport.requests.map { $0.headers["Authorization"]?.contains("Credential=AKID1/") }
    #expect(ids == [true, false, false])
  }

  @Test func `missing credentials are waited for`() async throws {
    let transport = ScriptedTransport(Self.ok)
    let provider = CountingProvider { number in
      if number < 3 { throw CredentialError(.unknownProfile, "profile p does not exist in x") }
      return CountingProvider.keys(number)
    }
    _ = try await DynamoDBClient(client(transport, provider)).updateItem(body: [], retry: failures.forever())
    #expect(failures.all.count >= 2 && failures.all.allSatisfy { $0.error.code == .credentialsUnavailable })
    #expect(failures.all.allSatisfy { $0.error.message == "profile p does not exist in x" })
    #expect(provider.count == 3)
    #expect(transport.requests.count == 1)
  }

  @Test func `a skewed clock is set by the server's when it has said so twice`() async throws {
    let skewed = Result<HTTPResponse, TransportError>.answer(
      403, ["Date": Self.date], ClassifierTests.xml("RequestTimeTooSkewed"))
    let transport = ScriptedTransport(skewed, skewed, Self.ok)
    let provider = CountingProvider { CountingProvider.keys($0) }
    let dynamo = DynamoDBClient(try client(transport, provider, now: Self.now - 7_200))
    _ = try await dynamo.updateItem(body: [], retry: failures.forever())
    #expect(
      transport.requests.map { $0.headers["x-amz-date"] }
        == ["19941106T064937Z", "19941106T064937Z", "19941106T084937Z"])
    #expect(provider.count == 1)
  }

  @Test(arguments: [
    (403, "<html>Blocked by policy</html>"), (403, ""), (407, "<html>Log in</html>"),
    (403, ClassifierTests.xml("RequestTimeTooSkewed")),
  ])
  func `neither a proxy's page nor one wrong Date sets the clock, and keys that expire serve on`(
    status: Int, body: String
  ) async throws {
    let twoDaysAhead = "Tue, 08 Nov 1994 08:49:37 GMT"
    let transport = ScriptedTransport(.answer(status, ["Date": twoDaysAhead], body), Self.ok)
    let provider = CountingProvider { _ in CountingProvider.keys(1, expiration: Self.now + 21_600) }
    let dynamo = DynamoDBClient(try client(transport, provider))
    for _ in 1...3 { _ = try await dynamo.updateItem(body: [], retry: failures.forever()) }
    #expect(transport.requests.count == 4)
    #expect(
      transport.requests.allSatisfy { $0.headers["x-amz-date"]?.hasPrefix("19941106T0849") == true })
    #expect(failures.all.allSatisfy { $0.error.code != .credentialsUnavailable })
  }

  @Test func `keys from a source whose clock is another are used at once`() async throws {
    // This machine is eight hours ahead, and the keys are good for six by the clock of who gave them.
    let skewed = Result<HTTPResponse, TransportError>.answer(
      403, ["Date": Self.date], ClassifierTests.xml("RequestTimeTooSkewed"))
    let transport = ScriptedTransport(skewed, skewed, Self.ok)
    let provider = CountingProvider { _ in CountingProvider.keys(1, expiration: Self.now + 21_600) }
    let dynamo = DynamoDBClient(try client(transport, provider, now: Self.now + 28_800))
    _ = try await dynamo.updateItem(body: [], retry: failures.forever())
    #expect(transport.requests.count == 3)
    #expect(transport.requests.last?.headers["x-amz-date"] == "19941106T084937Z")
  }

  @Test func `secrets in an answer do not get into the error`() async throws {
    let body = ClassifierTests.json("ValidationException", "your key is secret-1 indeed")
    let error = await #expect(throws: AWSError.self) {
      _ = try await DynamoDBClient(client(ScriptedTransport(.answer(400, [:], body)))).updateItem(body: [])
    }
    #expect(error?.message == "your key is <secret> indeed")
  }

  @Test(arguments: [
    ("Signature of tu", ["tu", "n"], "Signature of tu"), ("", ["12345678"], ""),
    ("a 12345678.", ["12345678", nil], "a <secret>."),
    ("x12345678 12345678/", ["12345678"], "x12345678 12345678/"),
    ("12345678 12345678", ["12345678"], "<secret> <secret>"),
    ("a0123456789abcdefb 0123456789abcdef", ["0123456789abcdef"], "a<secret>b <secret>"),
    (
      "key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY;", ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"],
      "key=<secret>;"
    ),
  ])
  func `what is too short to be a secret is none, and what is no whole value is a word`(
    message: String, secrets: [String?], shown: String
  ) {
    #expect(Redaction.redacted(message, secrets) == shown)
  }

  @Test(arguments: ["{}", #"{"__type":"x#ValidationException"}"#])
  func `a damaged answer of DynamoDB is no answer, whatever it says`(body: String) async throws {
    let transport = ScriptedTransport(
      .answer(body == "{}" ? 200 : 400, ["x-amz-crc32": "1"], body),
      .answer(200, ["x-amz-crc32": "2745614147"], "{}"))
    _ = try await DynamoDBClient(client(transport)).updateItem(body: [], retry: failures.forever())
    #expect(failures.all.map(\.error.code) == [.unexpectedAnswer])
    #expect(failures.all[0].error.kind == .transient)
  }

  @Test func `an object that S3 stored differently is put again`() async throws {
    let transport = ScriptedTransport(
      .answer(200, ["ETag": "\"e\"", "x-amz-checksum-sha256": "other="]),
      .answer(200, ["ETag": "\"e\"", "x-amz-checksum-sha256": "mine="]), .answer(200, ["ETag": "\"e\""]))
    let s3 = S3Client(try client(transport))
    for _ in 1...2 {
      _ = try await s3.putObject(
        bucket: "bucket", key: "k", headers: ["x-amz-checksum-sha256": "mine="], body: [1],
        retry: failures.forever())
    }
    #expect(transport.requests.count == 3)
    #expect(
      failures.all.map(\.error.message) == [
        "what was stored is not what was sent: its x-amz-checksum-sha256 is another"
      ])
  }

  @Test(arguments: [
    (ObjectEncryption.s3, "AES256", nil), (.kms(keyID: nil), "aws:kms", nil),
    (.kms(keyID: "alias/mine"), "aws:kms", "alias/mine"),
  ])
  func `encryption is asked for where objects are made, and signed`(
    encryption: ObjectEncryption, name: String, key: String?
  ) async throws {
    let transport = ScriptedTransport(.answer(200, ["ETag": "\"e\""]))
    let client = AWSClient(
      transport: transport, credentials: CountingProvider { _ in CountingProvider.keys(1) },
      region: "eu-west-1",
      objectEncryption: encryption)
    let s3 = S3Client(client.reached(at: Endpoints()))
    _ = try await s3.putObject(bucket: "bucket", key: "k", body: [])
    _ = try await s3.headObject(bucket: "bucket", key: "k")
    _ = try await s3.getObject(bucket: "bucket", key: "k")
    let header = "x-amz-server-side-encryption"
    #expect(transport.requests.map { $0.headers[header] } == [name, nil, nil])
    #expect(transport.requests.map { $0.headers["\(header)-aws-kms-key-id"] } == [key, nil, nil])
    #expect(transport.requests[0].headers["Authorization"]?.contains(header) == true)
  }

  @Test func `a long outage is not hammered, and over at the first success`() async throws {
    let answers = Array(repeating: Result<HTTPResponse, TransportError>.lost, count: 150)
    let transport = RoutedTransport { [count = Counter()] _ in
      let number = count.next()
      return number < answers.count ? answers[number] : Self.ok
    }
    let client = AWSClient(
      transport: transport, credentials: CountingProvider { _ in CountingProvider.keys(1) },
      region: "eu-west-1",
      clock: clock)
    let dynamo = DynamoDBClient(client)
    let quick = Retry(maximumAttempts: nil, backoff: Backoff(base: .zero))
    _ = try await dynamo.updateItem(body: [], retry: quick)
    let waits = clock.sleeps.filter { $0 == .milliseconds(100) }
    #expect(waits.count == 51)
    _ = try await dynamo.updateItem(body: [], retry: quick)
    #expect(clock.sleeps.filter { $0 == .milliseconds(100) }.count == 51)
  }

  private final class Counter: Sendable {
    private let value = Mutex(0)
    func next() -> Int {
      value.withLock { value in
        defer { value += 1 }
        return value
      }
    }
  }

  @Test func `a page with status 200 is no success`() async throws {
    let transport = ScriptedTransport(.answer(200, [:], "<html>Log in</html>"), .answer(200), Self.ok)
    _ = try await DynamoDBClient(client(transport)).updateItem(body: [], retry: failures.forever())
    #expect(transport.requests.count == 3)
  }

  @Test(arguments: [[:], ["ETag": "\"page\""]])
  func `a page with status 200 is no object, neither put nor got`(headers: [String: String]) async throws {
    let page = Result<HTTPResponse, TransportError>.answer(200, headers, "<html>Log in</html>")
    let put = ScriptedTransport(page, .answer(200, ["ETag": "\"e\""]))
    _ = try await S3Client(client(put)).putObject(bucket: "b", key: "k", body: [1], retry: failures.forever())
    #expect(put.requests.count == 2)
    let got = ScriptedTransport(page, .answer(200, ["ETag": "\"e\""], "{}"))
    let found = try await S3Client(client(got)).getObject(bucket: "b", key: "k", retry: failures.forever())
    #expect(found?.body == Array("{}".utf8))
    let looked = ScriptedTransport(.answer(200), .answer(404))
    #expect(
      try await S3Client(client(looked)).headObject(bucket: "b", key: "k", retry: failures.forever()) == nil)
    #expect(looked.requests.count == 2)
  }

  @Test func `a table's keys are read whatever their order`() async throws {
    let body = #"""
      {"Table":{"TableName":"t","TableStatus":"ACTIVE","ItemCount":3,
       "KeySchema":[{"AttributeName":"b","KeyType":"RANGE"},{"AttributeName":"a","KeyType":"HASH"}],
       "AttributeDefinitions":[{"AttributeName":"a","AttributeType":"S"},{"AttributeName":"b","AttributeType":"N"}]}}
      """#
    let transport = ScriptedTransport(
      .answer(200, ["Date": Self.date], body.trimmingPrefix { $0 != "{" }.description))
    let table = try await DynamoDBClient(client(transport)).describeTable("t\"é")
    #expect(table.name == "t")
    #expect(table.status == "ACTIVE")
    #expect(
      table.keys == [
        .init(name: "a", role: .hash, type: "S"), .init(name: "b", role: .range, type: "N"),
      ])
    #expect(table.answer.date == Self.now)
    #expect(String(decoding: transport.requests[0].body, as: UTF8.self) == #"{"TableName":"t\"é"}"#)
  }

  @Test func `a secret is read and never shown`() async throws {
    let transport = ScriptedTransport(
      .answer(200, [:], #"{"Name":"n","SecretString":"{\"streams\":[\"a\"]}"}"#))
    let secret = try await SecretsManagerClient(client(transport)).getSecretValue("n")
    #expect(secret.exposed == #"{"streams":["a"]}"#)
    var dumped = ""
    dump(secret, to: &dumped)
    #expect(!"\(secret) \(String(reflecting: secret)) \(dumped)".contains("streams"))
    #expect(transport.requests[0].headers["X-Amz-Target"] == "secretsmanager.GetSecretValue")

    let binary = ScriptedTransport(.answer(200, [:], #"{"Name":"hush","SecretBinary":"aHVzaA=="}"#))
    let error = await #expect(throws: AWSError.self) {
      _ = try await SecretsManagerClient(client(binary)).getSecretValue("n")
    }
    #expect(error?.code == .unexpectedAnswer)
    #expect(error?.description.contains("hush") == false)
  }

  @Test func `S3 objects: headers are signed and sent, metadata comes back`() async throws {
    let headers = [
      "ETag": "\"e\"", "X-Amz-Meta-Log-Id": "0123", "x-amz-meta-rows": " 7 ", "Content-Length": "12",
    ]
    let transport = ScriptedTransport(.answer(200, headers))
    let s3 = S3Client(try client(transport))
    let put = try await s3.putObject(
      bucket: "crypto-live-bucket", key: "dt=1/é+:.gz", headers: ["If-None-Match": "*"], body: [1, 2])
    #expect(put.etag == "\"e\"")
    let request = transport.requests[0]
    #expect(request.endpoint.authority == "crypto-live-bucket.s3.eu-west-1.amazonaws.com")
    #expect(request.path == "/dt%3D1/%C3%A9%2B%3A.gz")
    #expect(request.headers["x-amz-content-sha256"] == SHA256.hash([1, 2]).hex)
    #expect(request.headers["Authorization"]?.contains("SignedHeaders=host;if-none-match;x-amz-") == true)

    let head = try await s3.headObject(bucket: "crypto-live-bucket", key: "k")
    #expect(head?.metadata == ["log-id": "0123", "rows": "7"])
    #expect(head?.contentLength == 12)
  }

  @Test func `S3 objects: absent is nil, a missing bucket and a failed condition are errors`() async throws {
    func s3(_ answer: Result<HTTPResponse, TransportError>) throws -> S3Client {
      S3Client(try client(ScriptedTransport(answer)))
    }
    #expect(try await s3(.answer(404)).headObject(bucket: "b", key: "k") == nil)
    let absent = try await s3(.answer(404, [:], ClassifierTests.xml("NoSuchKey"))).getObject(
      bucket: "b", key: "k")
    #expect(absent == nil)
    let found = try await s3(.answer(200, ["ETag": "\"e\"", "x-amz-meta-a": "1"], "text")).getObject(
      bucket: "b", key: "k")
    #expect(found?.body == Array("text".utf8))
    var error = await #expect(throws: AWSError.self) {
      _ = try await s3(.answer(404, [:], ClassifierTests.xml("NoSuchBucket"))).getObject(
        bucket: "b", key: "k")
    }
    #expect(error?.code == .noSuchBucket)
    error = await #expect(throws: AWSError.self) {
      _ = try await s3(.answer(412, [:], ClassifierTests.xml("PreconditionFailed"))).putObject(
        bucket: "b", key: "k", body: [])
    }
    #expect(error?.status == 412)
    error = await #expect(throws: AWSError.self) {
      _ = try await s3(.answer(400)).headObject(bucket: "b", key: "k")
    }
    #expect(error?.kind == .credentialsRefused)
  }

  @Test func `a list of keys is asked for page by page, and its query is signed as it is sent`() async throws
  {
    let first = """
      <?xml version="1.0"?><ListBucketResult><Name>b</Name><EncodingType>url</EncodingType>
      <IsTruncated>true</IsTruncated><NextContinuationToken>a+b/c==</NextContinuationToken>
      <Contents><Key>p/dt%3D1/a+b%2Bc.gz</Key><Size>1</Size></Contents>
      <Contents><Key>p/&amp;</Key></Contents></ListBucketResult>
      """
    let second =
      "<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/a%2B+</Key></Contents></ListBucketResult>"
    let transport = ScriptedTransport(.answer(200, [:], first), .answer(200, [:], second))
    let s3 = S3Client(try client(transport))
    let page = try await s3.listObjects(bucket: "crypto-live-bucket", prefix: "p/")
    #expect(page.keys == ["p/dt=1/a b+c.gz", "p/&"])
    #expect(page.next == "a+b/c==")
    let rest = try await s3.listObjects(bucket: "crypto-live-bucket", prefix: "p/", from: page.next)
    // This answer does not say that its keys are encoded.
    #expect(rest.keys == ["p/a%2B+"])
    #expect(rest.next == nil)
    #expect(
      transport.requests.map(\.query) == [
        "encoding-type=url&list-type=2&prefix=p%2F",
        "continuation-token=a%2Bb%2Fc%3D%3D&encoding-type=url&list-type=2&prefix=p%2F",
      ])
  }

  @Test(arguments: [
    "", "<html>hello</html>", "<ListBucketResult><Contents><Key>a</Key></Contents>",
    "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
  ])
  func `a list that is cut off or is none does not pass for its end`(body: String) async throws {
    let s3 = S3Client(try client(ScriptedTransport(.answer(200, [:], body))))
    let error = await #expect(throws: AWSError.self) { _ = try await s3.listObjects(bucket: "b", prefix: "") }
    #expect(error?.isRetriable == true)
  }
}

extension Result {
  fileprivate var failure: Failure? {
    if case .failure(let error) = self { error } else { nil }
  }
}
