import Base
import Logging
import Synchronization

/// The time of a table, shared by all that write to it.
final class TableClock: Sendable {
  private struct State {
    var time = TableTime()
    var said: Set<String> = []
  }

  // Asked twice for each item: a lock alone, and what some wait for beside it.
  private let state = Mutex(State())
  /// The count of questions that have ended.
  private let answers = Watch(0)
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
    state.withLock { $0.time.heard(Int64(date), own: own, elapsed: elapsed) }
  }

  /// Whether a TTL is certainly not over, so that nobody need be asked. Epoch seconds, as below.
  func isAlive(_ ttl: Int64, own: Int64) -> Bool {
    // A copy gives the verdict: nobody is told to ask.
    var time = state.withLock { $0.time }
    return time.verdict(ttl: ttl, own: own, elapsed: seconds) == .alive
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
      let elapsed = seconds
      let (verdict, known) = state.withLock { state in
        let verdict = state.time.verdict(ttl: ttl, own: own, elapsed: elapsed)
        return (verdict, verdict == .wait ? answers.value : 0)
      }
      switch verdict {
      case .alive: return false
      case .passed: return true
      case .wait: _ = try await answers.wait { $0 > known }
      case .ask: try await answer(own: own, ask: ask, say: say)
      }
    }
  }

  private func answer(
    own: Int64, ask: () async throws -> Int64?, say: (Logger.Message) -> Void
  ) async throws {
    defer { answers.update { $0 += 1 } }
    let date: Int64?
    do {
      date = try await ask()
    } catch {
      state.withLock { $0.time.abandoned() }
      throw error
    }
    let elapsed = seconds
    let message = state.withLock { state -> Logger.Message? in
      guard let doubt = state.time.asked(date, own: own, elapsed: elapsed) else { return nil }
      // Once is enough for a process.
      return state.said.insert("\(doubt)").inserted ? Self.message(doubt) : nil
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
