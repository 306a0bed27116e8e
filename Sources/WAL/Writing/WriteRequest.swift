/// One thing to be done in the next group commit.
struct WriteRequest: Sendable {
  var ticks = TickBatch()
  var rejected: [RejectedInput] = []
  /// Whose dead letters the rejected input becomes.
  var owner = ConsumerName.feed
  /// Whether it may be committed before what was queued earlier, while the volume has no room for ticks.
  var mayPass = false
  var urgency = WriteUrgency.usual
  /// Asked under the writer's lock, when a patient request is queued: whether it waits for nothing more.
  var isHurried: (@Sendable () -> Bool)?
  /// Runs after the ticks were inserted, inside a savepoint of its own; again if the group is retried.
  var body: (@Sendable (WriteTransaction) throws -> Void)?
  /// Called on the writer's thread, without its lock: after the commit with the offsets of the ticks
  /// (`nil` if there were none), or with what made the request fail.
  var completion: @Sendable (Result<OffsetRange?, any Error>) -> Void

  /// The size that counts against the queue's capacity.
  var byteCount: Int {
    ticks.byteCount + rejected.reduce(0) { $0 + $1.payload.count + Self.bytesBesidePayload }
  }
  /// Of a dead letter, about: many small ones are no small thing.
  private static let bytesBesidePayload = 256
}
