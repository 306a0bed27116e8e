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
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    let interrupted = Latch<Void>()
    return try await withThrowingTaskGroup(of: T?.self) { group in
      group.addTask { try await body() }
      group.addTask {
        for await _ in signals {
          if interrupted.value != nil { ImmediateExit.secondSignal(.interrupted) }
          interrupted.set(())
        }
        return nil
      }
      group.addTask {
        try await interrupted.wait()
        return nil
      }
      defer { group.cancelAll() }
      guard let result = try await group.next() ?? nil else {
        group.cancelAll()
        // A commit that waits for room on the volume cannot be called off.
        ImmediateExit.unlessEnded(within: 5, .interrupted)
        // What the body made durable stays; how it ended does not matter any more.
        while let ended = await group.nextResult() { _ = ended }
        throw CommandFailure(.interrupted, "interrupted")
      }
      return result
    }
  }
}
