import Base
import Logging
import Synchronization
import WAL

/// Runs one consumer for as long as the process lives, and lets an operator move it in between: the loop is
/// stopped in order, the consumer is moved in one transaction, and the loop starts anew from there.
///
/// Nothing that was on its way before a move can count after it: when the loop has ended, all of that is
/// committed, or was given up.
package final class ConsumerLoop: Sendable {
  /// The place where a move waits for the loop, and the loop for the move.
  private final class Pause: Sendable {
    let isStanding = Latch<Void>()
    let isOver = Latch<Void>()
  }

  private struct State {
    /// Of the loop that runs now.
    var control: ShippingControl?
    var pause: Pause?
    var isDraining = false
    var isStopping = false
    var hasEnded = false
  }

  package let progress: ShippingProgress
  private let consumer: Consumer
  private let shipping: Shipping
  private let log: TickLog
  private let patience: Duration
  private let clock: ShippingClock
  private let logger: Logger
  private let state = Mutex(State())

  /// - Parameters:
  ///   - consumer: as `enable` returned it.
  ///   - patience: how long a move waits for what is on its way; then that is called off.
  package init(
    _ consumer: Consumer, shipping: Shipping, log: TickLog, patience: Duration,
    clock: ShippingClock = .system, logger: Logger
  ) {
    self.consumer = consumer
    self.shipping = shipping
    self.log = log
    self.patience = patience
    self.clock = clock
    self.logger = logger
    progress = ShippingProgress(consumer: consumer.name, next: consumer.next)
  }

  package var name: ConsumerName { consumer.name }

  /// From now on ship what the log has, a short last batch too, and end when nothing is left.
  package func startDraining() {
    state.withLock { state in
      state.isDraining = true
      state.control?.startDraining()
    }
  }

  /// From now on start nothing; what is on its way may finish.
  package func startStopping() {
    state.withLock { state in
      state.isStopping = true
      state.control?.startStopping()
    }
  }

  // MARK: Running

  /// Runs until it is to stop, or to drain and nothing is left.
  ///
  /// - Throws: `CancellationError`, with everything confirmed until then committed; the log's errors.
  package func run() async throws {
    defer {
      let pause = state.withLock { state in
        state.hasEnded = true
        return state.pause
      }
      pause?.isStanding.set(())
    }
    while let turn = nextTurn() {
      switch turn {
      case .wait(let pause):
        pause.isStanding.set(())
        try await pause.isOver.wait()
      case .ship(let control): try await ship(control)
      }
    }
  }

  private enum Turn {
    case wait(Pause)
    case ship(ShippingControl)
  }

  /// - Returns: `nil` if that was all.
  private func nextTurn() -> Turn? {
    state.withLock { state in
      let hasRun = state.control != nil
      state.control = nil
      if let pause = state.pause { return .wait(pause) }
      if state.isStopping || (hasRun && state.isDraining) {
        state.hasEnded = true
        return nil
      }
      let control = ShippingControl()
      if state.isDraining { control.startDraining() }
      state.control = control
      return .ship(control)
    }
  }

  private func ship(_ control: ShippingControl) async throws {
    let consumer = consumer.reading(progress.snapshot.next)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { [shipping, log, progress, clock, logger] in
        try await shipping.run(
          consumer, log: log, control: control, progress: progress, clock: clock, logger: logger)
      }
      group.addTask { try await self.patienceIsOver(control) }
      try await group.next()
      group.cancelAll()
      // Whichever ended first, what the other one throws is its being called off, or a failure of the log.
      while let result = await group.nextResult() {
        if case .failure(let error) = result, !(error is CancellationError) { throw error }
      }
    }
    try Task.checkCancellation()
  }

  /// The end of the process has a time limit of its own.
  private func patienceIsOver(_ control: ShippingControl) async throws {
    try await control.untilStopping()
    guard state.withLock({ $0.pause != nil }) else { return try await Latch<Void>().wait() }
    try await clock.sleep(patience)
  }

  // MARK: Moving

  /// Whether a move waits for what is on its way.
  var isPausing: Bool { state.withLock { $0.pause != nil } }

  /// Moves the consumer; durable when it returns, and the loop runs from there, if it has not ended.
  ///
  /// - Throws: `SeekError`, and then the consumer goes on where it was; `MoveUnderWay`; the log's errors.
  package func seek(_ request: SeekRequest, dryRun: Bool) async throws -> SeekOutcome {
    if dryRun { return try await log.seek(request, dryRun: true) }
    // What cannot be done stops nothing.
    _ = try await log.seek(request, dryRun: true)
    let pause = Pause()
    let isStanding = try state.withLock { state in
      guard state.pause == nil else { throw MoveUnderWay() }
      state.pause = pause
      state.control?.startStopping()
      return state.hasEnded
    }
    defer {
      state.withLock { $0.pause = nil }
      pause.isOver.set(())
    }
    if !isStanding { try await pause.isStanding.wait() }
    let outcome = try await log.seek(request)
    progress.moved(to: outcome.to)
    return outcome
  }
}

/// Somebody else moves the consumer just now.
package struct MoveUnderWay: Error, CustomStringConvertible {
  package var description: String { "the consumer is being moved already" }
}
