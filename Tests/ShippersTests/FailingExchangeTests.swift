import AWS
import Base
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// The first, second, third … exchange with the service goes wrong, in each way that one can, until all of a
/// backlog goes through without: each tick is delivered once, and no offset passes one that is not.
@Suite struct FailingExchangeTests {
  enum Fault: CaseIterable {
    case refused, resetBefore, resetAfter, timedOutAfter, conflict, ownPrecondition, failed, failedAfter
    case slowDown, throttled, truncated, wrongChecksum, badDigest, expiredToken, page, pageWithTag

    /// Whether the service has done what it was asked before the answer was lost.
    var hasActed: Bool {
      switch self {
      case .resetAfter, .timedOutAfter, .ownPrecondition, .failedAfter, .truncated, .wrongChecksum: true
      default: false
      }
    }

    func answer(toS3 isS3: Bool) throws -> HTTPResponse {
      func lost(_ code: TransportError.Code) -> TransportError {
        TransportError(code: code, origin: "http://aws.test")
      }
      func error(_ status: Int, _ code: String) -> HTTPResponse {
        isS3 ? .s3Error(status, code) : .dynamoError(status, code)
      }
      switch self {
      case .refused: throw lost(.connect)
      case .resetBefore, .resetAfter, .truncated: throw lost(.connectionLost)
      case .timedOutAfter: throw lost(.timedOut)
      case .conflict: return error(409, isS3 ? "ConditionalRequestConflict" : "TransactionConflictException")
      case .ownPrecondition:
        return isS3 ? .s3Error(412, "PreconditionFailed") : .dynamoError(500, "InternalServerError")
      case .failed, .failedAfter: return error(500, isS3 ? "InternalError" : "InternalServerError")
      case .slowDown: return error(503, isS3 ? "SlowDown" : "ServiceUnavailable")
      case .throttled:
        return isS3
          ? .s3Error(429, "TooManyRequestsException")
          : .dynamoError(400, "ProvisionedThroughputExceededException")
      case .wrongChecksum:
        return .answer(
          200, ["ETag": "\"e\"", "x-amz-checksum-sha256": "AAAA", "x-amz-crc32": "1"], isS3 ? "" : "{}")
      case .badDigest: return error(400, isS3 ? "BadDigest" : "RequestTimeoutException")
      case .expiredToken: return error(400, isS3 ? "ExpiredToken" : "ExpiredTokenException")
      case .page: return .answer(200, ["Content-Type": "text/html"], "<!DOCTYPE html><html>Log in</html>")
      case .pageWithTag:
        return .answer(200, ["Content-Type": "text/html", "ETag": "\"p\""], "<html>Log in</html>")
      }
    }
  }

  @Test(arguments: Fault.allCases)
  func `after any one exchange each tick is in one object`(_ fault: Fault) async throws {
    for nth in 1... {
      let s3 = SmallS3()
      let hasFailed = Mutex(false)
      let transport = ScriptedTransport { request, number in
        guard number == nth else { return s3.answer(request) }
        hasFailed.withLock { $0 = true }
        // A lost, or damaged, answer to an upload that has arrived; a 412 is the answer to its second try.
        if fault.hasActed { _ = s3.answer(request) }
        if request.method != .put, fault == .ownPrecondition || fault == .wrongChecksum {
          return s3.answer(request)
        }
        return try fault.answer(toS3: true)
      }
      let store = S3Store(client: S3Client(try transport.client()), bucket: "bucket")
      try await ShippingRig.with { rig in
        try await rig.log.append(ticks(35))
        try await drain(rig, rig.shipping(to: store, .test(concurrency: 2)), .s3) { next in
          let stored = objects(of: s3).flatMap { numbers(inRows: $0) }
          return Set(1..<next).subtracting(stored).isEmpty
        }
        let rows = objects(of: s3).flatMap { numbers(inRows: $0) }
        #expect(rows.sorted() == Array(1...35), "exchange \(nth)")
        #expect(
          try await rig.query("SELECT state FROM batches") == ["shipped", "shipped", "shipped", "shipped"])
        #expect(try await rig.deadLetters == [])
      }
      if !hasFailed.withLock({ $0 }) {
        #expect(nth > 4)
        return
      }
    }
  }

  @Test(arguments: Fault.allCases, [ItemSettings.WriteMode.update, .batch])
  func `after any one exchange each tick is an item`(_ fault: Fault, mode: ItemSettings.WriteMode)
    async throws
  {
    let count = mode == .update ? 12 : 260
    for nth in 1... {
      let items = Mutex<[String: Item]>([:])
      let hasFailed = Mutex(false)
      let transport = ScriptedTransport { request, number in
        func act() throws -> HTTPResponse {
          for item in try mode == .update ? [Item(request.body)] : Item.puts(request.body) {
            let known = items.withLock { $0.updateValue(item, forKey: item.key) }
            // Written again, it is the same.
            #expect(known == nil || known == item)
          }
          return .answer(200, [:], "{}")
        }
        guard number == nth else { return try act() }
        hasFailed.withLock { $0 = true }
        if fault.hasActed { _ = try act() }
        return try fault.answer(toS3: false)
      }
      let table = DynamoTable(client: DynamoDBClient(try transport.client()), name: "t", writeMode: mode)
      try await ShippingRig.with { rig in
        try await rig.log.append(ticks(count))
        try await drain(rig, rig.shipping(to: table, concurrency: 3), .dynamodb) { next in
          items.withLock { $0.count } >= Int(next) - 1
        }
        #expect(items.withLock { $0.count } == count, "exchange \(nth)")
        #expect(try await rig.deadLetters == [])
      }
      if !hasFailed.withLock({ $0 }) {
        #expect(nth == (mode == .update ? 13 : 12))
        return
      }
    }
  }

  /// Ships everything, moving the clock for those who hold, and asks again and again whether what is committed
  /// may be.
  private func drain(
    _ rig: ShippingRig, _ shipping: Shipping, _ name: ConsumerName, mayBe: @escaping @Sendable (Int64) -> Bool
  ) async throws {
    let control = ShippingControl()
    control.startDraining()
    try await rig.beside(shipping, control: control) {
      try await expectEventually {
        let next = try await rig.next(name) ?? .first
        #expect(mayBe(next.rawValue), "committed \(next)")
        rig.clock.advance(by: .seconds(61))
        return next == rig.log.head.next
      }
    }
  }

  private func objects(of s3: SmallS3) -> [[UInt8]] {
    s3.stored.filter { !$0.key.contains("/_") }.map { $0.value.request.body }
  }
}
