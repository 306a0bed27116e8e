import Base

/// The look for AWS's keys beside the start of the work, which does not wait for it: their source may hang.
final class KeyLook: Sendable {
  private let look: @Sendable () async throws -> Void
  private let result = Latch<CommandFailure?>()

  /// The time that a start gives it, so that a profile that does not exist ends the program before anything is opened.
  static let moment = Duration.seconds(1)

  /// - Parameter look: throws `CommandFailure` for keys that can never be had.
  init(_ look: @escaping @Sendable () async throws -> Void) {
    self.look = look
  }

  /// - Throws: `CommandFailure`; `CancellationError`.
  func run() async throws {
    do {
      try await look()
      result.set(nil)
    } catch let failure as CommandFailure {
      result.set(failure)
      throw failure
    }
  }

  /// Waits for a moment.
  ///
  /// - Throws: `CommandFailure` if it has failed by then; `CancellationError`.
  func beginning(_ clock: any Clock<Duration> = ContinuousClock()) async throws {
    let failure = try await withThrowingTaskGroup(of: CommandFailure?.self) { group in
      group.addTask { [result] in try await result.wait() }
      group.addTask {
        try await clock.sleep(for: Self.moment)
        return nil
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
    if let failure { throw failure }
  }
}
