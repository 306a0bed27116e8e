import Base
import Logging
import Synchronization

/// Says each kind of trouble with a sink once, then sums it up every half minute, and says when it is over.
///
/// Many deliveries are on their way at a time, and in trouble some of them succeed: a line for each failure
/// would fill the operator's disk.
final class TroubleReporter: Sendable {
  private let logger: Logger
  private let now: @Sendable () -> Duration
  private let over: Logger.Message
  private let position: (@Sendable () -> CatchUp.Position)?
  private let progress: ShippingProgress?
  private let state = Mutex(State())

  private struct State {
    var summary = TroubleSummary()
    /// The backlog as deliveries began again after the last failure, and the time that it took once it is shipped.
    var recovery: CatchUp?
    var took: Duration?
    var hasFailed = false
    /// After trouble that was said.
    var catchUp: CatchUp?
  }

  private enum News {
    case over(TroubleSummary.Said)
    case caughtUp(ticks: Int, in: Duration)
  }

  /// - Parameters:
  ///   - over: what is said when the trouble is over.
  ///   - progress: is told of the trouble, and of its end.
  ///   - position: where the consumer stands, if it is to be said when it has caught up.
  init(
    logger: Logger, now: @escaping @Sendable () -> Duration, over: Logger.Message = "delivering again",
    progress: ShippingProgress? = nil, position: (@Sendable () -> CatchUp.Position)? = nil
  ) {
    self.progress = progress
    self.logger = logger
    self.now = now
    self.over = over
    self.position = position
  }

  /// - Parameters:
  ///   - cause: names the failure's kind; there are few of them.
  ///   - needsOperator: whether it stays until a person has changed something.
  ///   - passes: whether it is known to be over by itself.
  ///   - details: safe for logs.
  func failed(
    _ message: Logger.Message, cause: String, needsOperator: Bool = false, passes: Bool = false,
    _ details: @autoclosure () -> Logger.Metadata
  ) {
    let now = now()
    if let progress { progress.failed(Self.told(details()) ?? cause, passes: passes) }
    let news = state.withLock { state in
      state.hasFailed = true
      return state.summary.failed(cause, now: now)
    }
    guard let said = news else { return }
    logger.log(level: needsOperator ? .error : .warning, message, metadata: metadata(details(), said))
  }

  /// What `status` shows: the error, and what to do about it.
  private static func told(_ details: Logger.Metadata) -> String? {
    details["error"].map { error in "\(error)" + (details["hint"].map { "; \($0)" } ?? "") }
  }

  /// The operator is needed. Until ``released()`` no success elsewhere counts as the end of it.
  func held(_ message: Logger.Message, _ details: @autoclosure () -> Logger.Metadata) {
    let now = now()
    let news = state.withLock { state in
      state.hasFailed = true
      return state.summary.held("\(message)", now: now)
    }
    guard let said = news else { return }
    logger.error(message, metadata: metadata(details(), said))
  }

  func released() {
    let now = now()
    state.withLock { $0.summary.released(now: now) }
  }

  /// Something beside the trouble, said as it is.
  func say(_ message: Logger.Message, _ details: Logger.Metadata = [:]) {
    logger.warning(message, metadata: details)
  }

  private func metadata(_ details: Logger.Metadata, _ said: TroubleSummary.Said) -> Logger.Metadata {
    var metadata = details
    // That the first one failed once, for no time, is said by the line itself.
    guard said.failures > 1 else { return metadata }
    metadata["failures"] = .stringConvertible(said.failures)
    metadata["for_seconds"] = .stringConvertible(said.lasted.components.seconds)
    return metadata
  }

  func succeeded() {
    switch state.withLock({ news(&$0) }) {
    case .over(let past):
      progress?.recovered()
      logger.notice(
        over,
        metadata: [
          "failures": .stringConvertible(past.failures),
          "after_seconds": .stringConvertible(past.lasted.components.seconds),
        ])
    case .caughtUp(let ticks, let time):
      logger.notice(
        "caught up: what had waited is shipped",
        metadata: ["ticks": .stringConvertible(ticks), "time": "\(Figures.duration(time))"])
    case nil: break
    }
  }

  private func news(_ state: inout State) -> News? {
    if state.summary.isQuiet, state.catchUp == nil { return nil }
    let now = now()
    if state.hasFailed {
      // Not when it counts as over: by then much of what had waited may be shipped.
      (state.recovery, state.took) = (position.flatMap { CatchUp($0(), at: now) }, nil)
      (state.catchUp, state.hasFailed) = (nil, false)
    }
    if let recovery = state.recovery, state.took == nil {
      state.took = position.flatMap { recovery.isOver($0(), at: now) }
    }
    if let past = state.summary.succeeded(now: now) {
      state.catchUp = state.recovery
      return .over(past)
    }
    guard let catchUp = state.catchUp, let time = state.took else { return nil }
    (state.catchUp, state.recovery, state.took) = (nil, nil, nil)
    return .caughtUp(ticks: catchUp.ticks, in: time)
  }
}

/// The choice of what is worth saying about repeated failures: a pure value.
struct TroubleSummary {
  struct Said: Equatable {
    let failures: Int
    let lasted: Duration
  }

  /// The time after which continued trouble of one cause is said again.
  static let interval = Duration.seconds(30)
  /// Trouble is over when nothing has failed for so long.
  static let calm = Duration.seconds(5)

  private var failures = 0
  private var since: Duration = .zero
  private var lastFailure: Duration = .zero
  private var hasSaid = false
  /// Deliveries that wait for the operator.
  private var holds = 0
  private var lastSaid: [String: Duration] = [:]

  var isQuiet: Bool { failures == 0 }

  /// - Returns: what to say; `nil` if it was said a short while ago.
  mutating func failed(_ cause: String, now: Duration) -> Said? {
    if failures == 0 { since = now }
    failures += 1
    lastFailure = now
    if let last = lastSaid[cause], now - last < Self.interval { return nil }
    lastSaid = lastSaid.filter { now - $0.value < Self.interval }
    lastSaid[cause] = now
    hasSaid = true
    return Said(failures: failures, lasted: now - since)
  }

  /// - Returns: what to say; `nil` if it was said a short while ago.
  mutating func held(_ cause: String, now: Duration) -> Said? {
    holds += 1
    return failed(cause, now: now)
  }

  /// One that was held looks again: what it finds tells whether the trouble is over.
  mutating func released(now: Duration) {
    holds -= 1
    lastFailure = now
  }

  /// - Returns: the trouble that is over now, if it was said.
  mutating func succeeded(now: Duration) -> Said? {
    guard failures > 0, holds == 0, now - lastFailure >= Self.calm else { return nil }
    defer {
      failures = 0
      hasSaid = false
    }
    return hasSaid ? Said(failures: failures, lasted: now - since) : nil
  }
}
