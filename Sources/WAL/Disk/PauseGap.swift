import Synchronization

/// A gap of cause `disk_full` that the log itself writes; its id is known once it is written.
final class PauseGap: Sendable {
  private let id = Mutex<Gap.ID?>(nil)
  private let lastReceivedAt: Int64

  /// - Parameter lastReceivedAt: microseconds since 1970, UTC: of the first tick that was refused, which is
  ///   appended later.
  init(lastReceivedAt: Int64) {
    self.lastReceivedAt = lastReceivedAt
  }

  /// Ticks that wait in the queue may yet be lost to a crash, so the gap begins with what is durable.
  ///
  /// A gap that has ended is opened again, with its old beginning.
  func open(_ transaction: WriteTransaction) throws {
    if let known = id.withLock({ $0 }), try transaction.reopenGap(known) { return }
    let durable = try transaction.connection.lastReceivedAt() ?? lastReceivedAt
    let streams = try transaction.lastKnownStreams() ?? []
    let opened = try transaction.openGap(
      startedAt: min(durable, lastReceivedAt), cause: .diskFull, streams: streams)
    id.withLock { $0 = opened }
  }

  func close(_ transaction: WriteTransaction, endedAt: Int64) throws {
    guard let id = id.withLock({ $0 }) else { return }
    try transaction.closeGap(id, endedAt: endedAt)
  }
}
