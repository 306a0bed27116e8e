import AWS
import Logging
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct CatchUpTests {
  private let logs = RecordedLogs()

  @Test func `the backlog of an outage is said to be shipped when it is`() throws {
    let now = Mutex(Duration.zero)
    let next = Mutex(Int64(1))
    let reporter = TroubleReporter(
      logger: logs.logger, now: { now.withLock { $0 } },
      position: { (offset(next.withLock { $0 }), offset(43_000)) })
    reporter.failed("could not deliver", cause: "Transport", [:])
    now.withLock { $0 = .seconds(60) }
    reporter.succeeded()
    #expect(logs.entries.last?.message == "delivering again")
    now.withLock { $0 = .seconds(240) }
    next.withLock { $0 = 43_000 }
    reporter.succeeded()
    #expect(logs.entries.count == 2, "one tick of it is not shipped yet")
    next.withLock { $0 = 43_001 }
    reporter.succeeded()
    #expect(logs.entries.last?.message == "caught up: what had waited is shipped")
    #expect(logs.entries.last?.metadata["ticks"] == "43000")
    #expect(logs.entries.last?.metadata["time"] == "3 min")
    reporter.succeeded()
    #expect(logs.entries.count == 3)
  }

  @Test
  func `what had waited is what waited when deliveries began again, not when the trouble counted as over`() {
    let now = Mutex(Duration.zero)
    let next = Mutex(Int64(1))
    let reporter = TroubleReporter(
      logger: logs.logger, now: { now.withLock { $0 } },
      position: { (offset(next.withLock { $0 }), offset(100)) })
    reporter.failed("could not deliver", cause: "Transport", [:])
    for (second, place) in [(2, 1), (3, 60), (4, 101)] {
      now.withLock { $0 = .seconds(second) }
      next.withLock { $0 = Int64(place) }
      reporter.succeeded()
    }
    #expect(logs.entries.count == 1, "it may fail again")
    now.withLock { $0 = .seconds(9) }
    reporter.succeeded()
    reporter.succeeded()
    #expect(
      logs.entries.map(\.message).suffix(2) == ["delivering again", "caught up: what had waited is shipped"])
    #expect(logs.entries.last?.metadata["ticks"] == "100")
    #expect(logs.entries.last?.metadata["time"] == "2 s")
  }

  @Test func `what a person must change is an error with a hint, and what passes a warning`() async throws {
    let clock = TestClock()
    let attempts = Attempts(
      reporter: TroubleReporter(logger: logs.logger, now: clock.shipping.now), control: ShippingControl(),
      clock: clock.shipping, patience: 2)
    let calls = Mutex(0)
    let refusal = await #expect(throws: Refusal.self) {
      try await attempts.untilDone("upload", key: "batch_jsonl/x") {
        let number = calls.withLock { calls in
          calls += 1
          return calls
        }
        if number == 1 { throw AWSError(.transport, .transient, operation: "PutObject") }
        var error = AWSError(.accessDenied, .credentialsRefused, operation: "PutObject", status: 403)
        error.resource = .object(bucket: "crypto-live-bucket", key: "batch_jsonl/x")
        throw error
      }
    }
    #expect(logs.entries.map(\.level) == [.warning, .error])
    let hint =
      "give the keys' owner the right s3:PutObject on arn:aws:s3:::crypto-live-bucket/batch_jsonl/x (deploy/iam/policy.json)"
    // The first one says nowhere what it was about; the other's error does.
    #expect(logs.entries.map { $0.metadata["key"] != nil } == [true, false])
    #expect(logs.entries[1].metadata["hint"].map { "\($0)" } == hint)
    #expect(
      refusal?.description
        == "could not upload: PutObject on s3://crypto-live-bucket/batch_jsonl/x: AccessDenied (HTTP 403); \(hint)"
    )
  }

  @Test(arguments: [
    (AWSResource.bucket("b"), "NoSuchBucket", "make the bucket b, or correct S3_BUCKET or REGION"),
    (
      .table("t", region: "eu-west-1"), "ResourceNotFoundException",
      "make the table t in eu-west-1, or correct DYNAMO_TABLE_NAME or REGION"
    ),
    (
      .secret("s", region: "eu-west-1"), "ResourceNotFoundException",
      "make the secret s in eu-west-1, or correct BINANCE_WEBSOCKET_SECRET or REGION"
    ),
  ])
  func `what is not there is named with its setting`(resource: AWSResource, code: String, hint: String) {
    var error = AWSError(.init(rawValue: code), .missing, operation: "X", status: 404)
    error.resource = resource
    #expect(error.hint == hint)
    #expect(error.needsOperator)
  }

  @Test(arguments: [
    ("Forbidden", AWSError.Kind.credentialsRefused), ("BadRequest", .credentialsRefused),
    ("NotFound", .missing),
  ])
  func `a page of something in between blames neither keys nor rights nor names`(
    code: String, kind: AWSError.Kind
  ) {
    var error = AWSError(.init(rawValue: code), kind, operation: "UpdateItem", status: 403)
    error.resource = .table("t", region: "eu-west-1")
    #expect(error.hint?.contains("HTTPS_PROXY") == true && error.hint?.contains("dynamodb:") == false)
    // The answer to a HEAD says no more than its status, and has a request id.
    error.isFromService = true
    #expect(error.hint?.contains("HTTPS_PROXY") == false)
  }
}
