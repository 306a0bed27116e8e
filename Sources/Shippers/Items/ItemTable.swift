import Base
import Ticks
import WAL

/// A table for items: DynamoDB's, or a local one.
///
/// Everything but cancellation that these calls throw is worth another try, later.
protocol ItemTable: Sendable {
  /// One item in the table's own form.
  associatedtype Request: Sendable

  /// The table's own clock, as far as it was heard.
  var clock: TableClock { get }

  /// Asks the table for its time.
  /// - Returns: epoch seconds; `nil` if its answer tells none.
  func askDate() async throws -> Int64?

  func request(_ attributes: ItemAttributes) -> Request

  /// The reason why the table could never take an item; `nil` for one that it may take.
  func flaw(_ attributes: ItemAttributes) -> String?

  /// Writes an item over one of the same key; durable when it returns.
  /// - Returns: why the table does not take it as it is; `nil` when it has.
  func write(_ request: Request) async throws -> ItemRefusal?

  /// Begins to write an item without a task that waits for its end, if nothing has to be waited for first.
  ///
  /// - Parameters:
  ///   - isPatient: whether the end may be told a millisecond or two late.
  ///   - completion: called once with what `write` would return or throw; it must not block, and what it returns is
  ///     called a moment later.
  /// - Returns: calls it off; `nil` if nothing was begun and `write` must be used.
  func submit(
    _ request: Request, isPatient: Bool,
    _ completion: @escaping @Sendable (Result<ItemRefusal?, any Error>) -> Wake?
  ) -> CallOff?

  /// The same table, if it is to be written to with several items a request.
  var inBatches: (any ItemBatchTable)? { get }

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
  enum Blame: Sendable {
    /// A value of the item that no table takes.
    case value
    /// The item, as far as can be told.
    case item
    /// The table's keys, and so not this one item.
    case keys
    /// An index of the table, the same.
    case index
  }

  let cause: String
  let blame: Blame
}

extension ItemTable {
  func close() {}
  var inBatches: (any ItemBatchTable)? { nil }
  func submit(
    _ request: Request, isPatient: Bool,
    _ completion: @escaping @Sendable (Result<ItemRefusal?, any Error>) -> Wake?
  ) -> CallOff? { nil }
  func flaw(_ attributes: ItemAttributes) -> String? { nil }

  /// Whether a TTL is over by the table's clock.
  ///
  /// - Parameters:
  ///   - ttl: epoch seconds.
  ///   - wall: our clock, microseconds since 1970, UTC.
  func hasPassed(_ ttl: Int64, wall: Int64, attempts: Attempts) async throws -> Bool {
    try await clock.hasPassed(ttl, own: wall / 1_000_000) {
      try await attempts.untilDone("ask for the table's clock", key: "the table") { try await askDate() }
    } say: {
      attempts.reporter.say($0)
    }
  }

  /// - Throws: if the payload is not one JSON object, or the table could never take the item.
  func request(
    _ batch: TickBatch, _ tick: TickBatch.Entry, retentionDays: Int
  ) throws(ItemFlaw) -> Request {
    try keyedRequest(batch, tick, retentionDays: retentionDays).request
  }

  /// The same with a hash of the item's key, the same one as long as the process lives.
  func keyedRequest(
    _ batch: TickBatch, _ tick: TickBatch.Entry, retentionDays: Int
  ) throws(ItemFlaw) -> (key: Int, request: Request) {
    try keyed(batch, tick, retentionDays: retentionDays, request)
  }

  /// The hash of the item's key, and what is made of the item.
  func keyed<Form>(
    _ batch: TickBatch, _ tick: TickBatch.Entry, retentionDays: Int, _ make: (ItemAttributes) -> Form
  ) throws(ItemFlaw) -> (key: Int, request: Form) {
    try batch.bytes.withUnsafeBufferPointer { (bytes) throws(ItemFlaw) in
      let event: TickEvent
      do throws(JSONError) {
        event = try TickEvent(
          stream: UnsafeBufferPointer(rebasing: bytes[tick.stream]),
          payload: UnsafeBufferPointer(rebasing: bytes[tick.payload]), receivedAt: tick.receivedAt)
      } catch {
        throw ItemFlaw(error)
      }
      let attributes = ItemAttributes(event, retentionDays: retentionDays)
      if let flaw = flaw(attributes) { throw ItemFlaw(flaw) }
      return (attributes.keyHash, make(attributes))
    }
  }
}
