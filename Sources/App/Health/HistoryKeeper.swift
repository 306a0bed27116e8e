import Base
import Shippers
import Synchronization
import WAL

/// Keeps the history of the last hour beside the work, and tells it without touching the log: whoever asks, and
/// however often, costs nobody else anything.
final class HistoryKeeper: Sendable {
  private struct State {
    var history = History()
    var space = SpaceForecast()
    var gaps: [Gap] = []
    var sight: Sight?
  }

  private let observer: Observer
  private let running: Pipeline.Running
  private let state = Mutex(State())

  init(observer: Observer, running: Pipeline.Running) {
    self.observer = observer
    self.running = running
  }

  /// Looks regularly, until it is cancelled. What cannot be read is a hole in the charts; the verdict says why.
  func run() async throws {
    while true {
      do {
        try await look()
      } catch is CancellationError {
        throw CancellationError()
      } catch {
        state.withLock { $0.sight = nil }
      }
      try await ContinuousClock().sleep(for: History.pause)
    }
  }

  private func look() async throws {
    let sight = try await observer.sight()
    let gaps = try await observer.gaps(since: sight.status.readAt.subtractingSaturated(History.gapsTime))
    let now = MonotonicClock.now()
    let consumers = sight.status.consumers.filter(\.isEnabled).map {
      ($0.name.rawValue, History.Consumer(lag: $0.lag, age: $0.lag == 0 ? 0 : $0.oldestUnshippedSeconds))
    }
    let moment = History.Moment(
      at: sight.status.readAt, time: now, head: sight.status.head.rawValue,
      delays: MetricCatalogue.registry.distribution(of: "feed_event_delay_seconds"),
      consumers: Dictionary(uniqueKeysWithValues: consumers), available: sight.volume?.available)
    state.withLock { state in
      state.history.add(moment)
      if let volume = sight.volume, state.space.isDue(at: now) {
        state.space.add(available: volume.available, at: now)
      }
      state.gaps = gaps
      state.sight = sight
    }
  }

  /// What `/api/history` says.
  var document: JSONDocument {
    let state = state.withLock { $0 }
    let objects = running.progress.flatMap { progress in
      progress.snapshot.lastObjects.map { (consumer: progress.consumer.rawValue, object: $0) }
    }
    let expiry = state.sight?.credentialsExpiry
    let log: JSONDocument = .object([
      "now": .integer(Int(WallClock.now())),
      "interval_seconds": .number(History.pause / .seconds(1)),
      "samples": state.history.document, "gaps": .array(state.gaps.map(Self.document)),
      "volume": state.sight?.volume.map {
        .object(["available_bytes": .integer($0.available), "size_bytes": .integer($0.size)])
      } ?? .null,
      "seconds_until_full": state.space.secondsUntilFull.map { .number($0) } ?? .null,
    ])
    let aws: JSONDocument = .object([
      "credentials": .string(expiry == nil ? "none" : expiry == .infinity ? "lasting" : "expiring"),
      "credentials_expiry": expiry.flatMap { $0.isFinite ? .number($0) : nil } ?? .null,
      "clock_offset_seconds": .integer(state.sight?.clockOffset ?? 0),
      "objects": .array(
        objects.map { consumer, object in
          .object([
            "consumer": .string(consumer), "key": .string(object.key), "bytes": .integer(object.bytes),
            "confirmed_at": .integer(Int(object.confirmedAt)),
          ])
        }),
    ])
    return .object(log.members + aws.members)
  }

  private static let shownStreams = 3

  private static func document(_ gap: Gap) -> JSONDocument {
    .object([
      "id": .integer(Int(gap.id.rawValue)), "started_at": .integer(Int(gap.startedAt)),
      "ended_at": gap.endedAt.map { .integer(Int($0)) } ?? .null, "cause": .string(gap.cause.rawValue),
      "stream_count": .integer(gap.streams.count),
      "streams": .array(gap.streams.prefix(shownStreams).map { .string($0) }),
    ])
  }
}
