import Logging
import Synchronization
import WAL

/// Says when ticks were given up because their TTL had passed: at once when the first one is, then summed up.
final class ExpiryReporter: Sendable {
  private struct State {
    var summary = DeadLetterSummary()
    /// The first and the last offset of commits with such ticks that were not said yet.
    var range: OffsetRange?
  }

  private let logger: Logger
  private let now: @Sendable () -> Duration
  private let state = Mutex(State())

  init(logger: Logger, now: @escaping @Sendable () -> Duration) {
    self.logger = logger
    self.now = now
  }

  /// To be called when they are counted in the log.
  ///
  /// - Parameter first: with `last` the range that they lie in.
  func expired(_ count: Int, from first: Offset, to last: Offset) {
    guard count > 0 else { return }
    let now = now()
    say { state in
      state.range = min(state.range?.lowerBound ?? first, first)...max(state.range?.upperBound ?? last, last)
      return state.summary.added(count, now: now)
    }
  }

  /// Says what was counted in silence.
  func end() {
    say { $0.summary.rest() }
  }

  private func say(_ count: (inout State) -> Int?) {
    let said = state.withLock { state -> (Int, OffsetRange)? in
      guard let count = count(&state), let range = state.range else { return nil }
      state.range = nil
      return (count, range)
    }
    guard let (count, range) = said else { return }
    logger.warning(
      "ticks were not delivered because their TTL had passed; they are counted as expired",
      metadata: [
        "count": .stringConvertible(count), "from_offset": .stringConvertible(range.lowerBound.rawValue),
        "to_offset": .stringConvertible(range.upperBound.rawValue),
      ])
  }
}
