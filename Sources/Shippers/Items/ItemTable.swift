import Base
import Ticks
import WAL

/// A table for items: DynamoDB's, or a local one.
///
/// Everything but cancellation that these calls throw is worth another try, later.
protocol ItemTable: Sendable {
  /// One item in the table's own form.
  associatedtype Request: Sendable

  /// Epoch seconds by the table's own clock, as far as it was heard.
  var clock: Int64? { get }

  /// Asks the table for its clock.
  func askClock() async throws -> Int64

  func request(_ attributes: ItemAttributes) -> Request

  /// Writes an item over one of the same key; durable when it returns.
  /// - Returns: why the table does not take it as it is; `nil` when it has.
  func write(_ request: Request) async throws -> ItemRefusal?

  /// Whether the table's keys are the ones that items are made for.
  func hasRightKeys() async throws -> Bool

  /// The items under some keys, as they are now; at most ``ItemKey/mostAtATime``, each once.
  func items(under keys: [ItemKey]) async throws -> [ItemKey: [ItemAttributes.Name: String]]

  /// Looks for `doctor` whether items can be written. Writes none.
  ///
  /// - Throws: `CancellationError` alone.
  func look() async throws -> [DoctorFinding]

  /// Gives back what it holds open, until it is needed again.
  func close() async throws
}

/// The table's word that an item is not acceptable as it is.
struct ItemRefusal: Sendable {
  let cause: String
  /// It complains of the table's keys, and so not of this one item.
  let concernsKeySchema: Bool
}

extension ItemTable {
  func close() {}

  /// Whether a TTL is over by the table's clock. Where that was not heard yet, a TTL that is over by ours makes
  /// us ask.
  ///
  /// - Parameters:
  ///   - ttl: epoch seconds.
  ///   - wall: our clock, microseconds since 1970, UTC.
  func hasPassed(_ ttl: Int64, wall: Int64, attempts: Attempts) async throws -> Bool {
    if let clock { return ttl <= clock }
    guard ttl <= wall / 1_000_000 else { return false }
    return ttl
      <= (try await attempts.untilDone("ask for the table's clock", key: "the table") { try await askClock() })
  }

  /// - Throws: if the payload is not one JSON object.
  func request(
    _ batch: TickBatch, _ tick: TickBatch.Entry, retentionDays: Int
  ) throws(JSONError) -> Request {
    try batch.bytes.withUnsafeBufferPointer { (bytes) throws(JSONError) in
      let event = try TickEvent(
        stream: UnsafeBufferPointer(rebasing: bytes[tick.stream]),
        payload: UnsafeBufferPointer(rebasing: bytes[tick.payload]), receivedAt: tick.receivedAt)
      return request(ItemAttributes(event, retentionDays: retentionDays))
    }
  }
}
