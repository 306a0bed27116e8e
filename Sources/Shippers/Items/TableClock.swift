import Base
import Logging

/// The time of a table, shared by all that write to it.
final class TableClock: Sendable {
  private struct State {
    var time = TableTime()
    var said: Set<String> = []
  }

  private let state = Watch(State())
  private let elapsed: @Sendable () -> Duration

  /// - Parameter elapsed: from any start, by a clock that nobody sets.
  init(elapsed: @escaping @Sendable () -> Duration = ShippingClock.system.now) {
    self.elapsed = elapsed
  }

  private var seconds: Int64 { elapsed().components.seconds }

  /// Takes note of the `Date` of an answer; `nil` for one that has none.
  ///
  /// - Parameters: epoch seconds; `own` is this machine's time.
  func heard(_ date: Int?, own: Int64) {
    guard let date else { return }
    let elapsed = seconds
    state.update { $0.time.heard(Int64(date), own: own, elapsed: elapsed) }
  }

  /// Whether a TTL is over. Asks the table where that is needed.
  ///
  /// - Parameters:
  ///   - ttl: epoch seconds.
  ///   - own: this machine's time, epoch seconds.
  ///   - ask: asks the table for its `Date`, `nil` if it tells none.
  ///   - say: takes a warning.
  /// - Throws: what `ask` throws, `CancellationError`.
  func hasPassed(
    _ ttl: Int64, own: Int64, ask: () async throws -> Int64?, say: (Logger.Message) -> Void
  ) async throws -> Bool {
    while true {
      var verdict = TableTime.Verdict.alive
      let elapsed = seconds
      state.update { verdict = $0.time.verdict(ttl: ttl, own: own, elapsed: elapsed) }
      switch verdict {
      case .alive: return false
      case .passed: return true
      case .wait: _ = try await state.wait { !$0.time.isAsking }
      case .ask: try await answer(own: own, ask: ask, say: say)
      }
    }
  }

  private func answer(
    own: Int64, ask: () async throws -> Int64?, say: (Logger.Message) -> Void
  ) async throws {
    let date: Int64?
    do {
      date = try await ask()
    } catch {
      state.update { $0.time.abandoned() }
      throw error
    }
    let elapsed = seconds
    var message: Logger.Message?
    state.update { state in
      guard let doubt = state.time.asked(date, own: own, elapsed: elapsed) else { return }
      message = Self.message(doubt)
      // Once is enough for a process.
      if !state.said.insert("\(doubt)").inserted { message = nil }
    }
    if let message { say(message) }
  }

  private static func message(_ doubt: TableTime.Doubt) -> Logger.Message {
    switch doubt {
    case .noDate:
      "the table's answers have no Date that can be read: whether ticks have expired goes by this machine's clock"
    case .contradicts:
      "the table's answers contradict one another about the time: no tick counts as expired for now"
    }
  }
}
