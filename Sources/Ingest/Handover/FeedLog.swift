import Synchronization
import WAL

/// The log as the feed needs it; tests of the feed's parts stand in for it.
protocol FeedLog: Sendable {
  /// See ``TickLog/beginFeed(streams:attempts:)``.
  func beginFeed(streams: [String], attempts: AttemptMemory) async throws -> FeedStart
  /// See ``TickLog/endFeed(slots:)``.
  func endFeed(slots: [FeedEnd]) async throws

  /// See ``TickLog/recordAttempt(at:keeping:completion:)``.
  func recordAttempt(
    at time: Int64, keeping memory: AttemptMemory,
    completion: @escaping @Sendable (Result<Void, any Error>) -> Void)
  /// See ``TickLog/recordHold(until:completion:)``.
  func recordHold(until time: Int64, completion: @escaping @Sendable (Result<Void, any Error>) -> Void)
  /// See ``TickLog/setStreams(_:slots:completion:)``.
  func setStreams(
    _ streams: [String], slots: [Int: [String]],
    completion: @escaping @Sendable (Result<Void, any Error>) -> Void)

  /// See ``TickLog/tryAppend(_:rejected:body:completion:)``. The gaps change in the same commit, in order.
  func tryAppend(
    _ ticks: TickBatch, rejected: [RejectedInput], gaps: [GapChange],
    completion: @escaping @Sendable (Result<OffsetRange?, any Error>) -> Void
  ) throws(LogError) -> Bool

  func whenRoom(_ callback: @escaping @Sendable () -> Void)
  var isDiskFull: Bool { get }
}

/// A change to what the log knows of the feed, gaps above all, written in order with the ticks. Times in microseconds
/// UTC.
enum GapChange: Sendable {
  /// `detail` is JSON.
  case open(startedAt: Int64, cause: Gap.Cause, streams: [String], detail: String? = nil, OpenGaps)
  case close(endedAt: Int64, OpenGaps)
  /// A gap that has ended already; its id is kept for ``extend(endedAt:detail:_:)``.
  case add(startedAt: Int64, endedAt: Int64, cause: Gap.Cause, streams: [String], detail: String?, OpenGaps)
  /// See ``WriteTransaction/extendGap(_:endedAt:detail:)``.
  case extend(endedAt: Int64, detail: String?, OpenGaps)
  /// See ``WriteTransaction/setWatermark(of:to:)``.
  case watermark(SlotID, Int64)
  case completeness(Completeness)

  /// True if a gap begins with it.
  var isBeginning: Bool {
    switch self {
    case .open, .add: true
    case .close, .extend, .watermark, .completeness: false
    }
  }
}

/// The ids of gaps that are open, known only once the log's writer has written them.
///
/// A new one for each gap that is opened: the log may run the commit that closes it later, or twice.
final class OpenGaps: Sendable {
  private let ids: Mutex<[Gap.ID]>

  init(_ ids: [Gap.ID] = []) { self.ids = Mutex(ids) }

  /// Replaces rather than adds: the log may run a transaction again.
  func set(_ id: Gap.ID) { ids.withLock { $0 = [id] } }
  var all: [Gap.ID] { ids.withLock { $0 } }
}

extension TickLog: FeedLog {
  func tryAppend(
    _ ticks: TickBatch, rejected: [RejectedInput], gaps: [GapChange],
    completion: @escaping @Sendable (Result<OffsetRange?, any Error>) -> Void
  ) throws(LogError) -> Bool {
    if gaps.isEmpty { return try tryAppend(ticks, rejected: rejected, body: nil, completion: completion) }
    return try tryAppend(
      ticks, rejected: rejected,
      body: { transaction in for change in gaps { try change.write(in: transaction) } },
      completion: completion)
  }
}

extension GapChange {
  fileprivate func write(in transaction: WriteTransaction) throws {
    switch self {
    case .open(let startedAt, let cause, let streams, let detail, let gaps):
      gaps.set(
        try transaction.openGap(startedAt: startedAt, cause: cause, streams: streams, detail: detail))
    case .close(let endedAt, let gaps):
      for id in gaps.all { try transaction.closeGap(id, endedAt: endedAt) }
    case .add(let startedAt, let endedAt, let cause, let streams, let detail, let gaps):
      gaps.set(
        try transaction.addGap(
          startedAt: startedAt, endedAt: endedAt, cause: cause, streams: streams, detail: detail))
    case .extend(let endedAt, let detail, let gaps):
      for id in gaps.all { try transaction.extendGap(id, endedAt: endedAt, detail: detail) }
    case .completeness(let completeness): try transaction.setCompleteness(completeness)
    case .watermark(let slot, let time): try transaction.setWatermark(of: slot.number, to: time)
    }
  }
}
