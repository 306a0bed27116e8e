import Base
import UnixSignals
import WAL

/// SIGINT and SIGTERM, as something to wait for.
enum Signals {
  /// Calls `handler` at each signal for as long as `body` runs.
  static func handled<T: Sendable>(
    by handler: @escaping @Sendable (UnixSignal) -> Void,
    during body: @escaping @Sendable () async throws -> T
  ) async throws -> T {
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    return try await withThrowingTaskGroup(of: T?.self) { group in
      group.addTask {
        for await signal in signals { handler(signal) }
        return nil
      }
      group.addTask { try await body() }
      defer { group.cancelAll() }
      while let ended = try await group.next() {
        if let result = ended { return result }
      }
      throw CancellationError()
    }
  }

  /// Runs `body` until it is done or a signal comes; then `body`'s task is cancelled.
  ///
  /// - Throws: `CommandFailure` (130) after a signal.
  static func cancelling<T: Sendable>(_ body: @escaping @Sendable () async throws -> T) async throws -> T {
    try await cancelling(
      by: await UnixSignalsSequence(trapping: .sigint, .sigterm),
      endAtOnce: { ImmediateExit.secondSignal(.interrupted) },
      // A commit that waits for room on the volume cannot be called off.
      endSoon: { ImmediateExit.unlessEnded(within: 5, .interrupted) }, body)
  }

  /// The same for any sequence of signals.
  ///
  /// - Parameters:
  ///   - endAtOnce: called at each signal after the first.
  ///   - endSoon: called when `body` has been cancelled, which may take it a while.
  static func cancelling<T: Sendable, S: AsyncSequence<UnixSignal, Never> & Sendable>(
    by signals: S, endAtOnce: @escaping @Sendable () -> Void, endSoon: @escaping @Sendable () -> Void,
    _ body: @escaping @Sendable () async throws -> T
  ) async throws -> T {
    let interrupted = Latch<Void>()
    return try await withThrowingTaskGroup(of: Void.self) { listening in
      // Beside the body's own group: it hears a second signal while the body, cancelled, comes to its end.
      listening.addTask {
        for await _ in signals {
          if interrupted.value != nil { endAtOnce() }
          interrupted.set(())
        }
      }
      defer { listening.cancelAll() }
      return try await withThrowingTaskGroup(of: T?.self) { group in
        group.addTask { try await body() }
        group.addTask {
          try await interrupted.wait()
          return nil
        }
        defer { group.cancelAll() }
        guard let result = try await group.next() ?? nil else {
          group.cancelAll()
          endSoon()
          // What the body made durable stays; how it ended does not matter any more.
          while let ended = await group.nextResult() { _ = ended }
          throw CommandFailure(.interrupted, "interrupted")
        }
        return result
      }
    }
  }
}
