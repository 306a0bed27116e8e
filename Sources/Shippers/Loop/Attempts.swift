import AWS
import Base
import Logging

/// Tries a call again for as long as it fails, with capped, jittered back-off, and reports it.
package struct Attempts: Sendable {
  let reporter: TroubleReporter
  let control: ShippingControl
  let clock: ShippingClock
  var backoff = Backoff(base: .milliseconds(100), cap: .seconds(20))
  /// The message for a try that failed.
  private let trouble: Logger.Message
  /// Refusals in a row after which a call is given up; `nil`: it is tried for ever.
  private let patience: Int?
  /// Writes down why the consumer waits for the operator.
  private let noteHold: @Sendable (_ why: String) async throws -> Void

  /// - Parameters:
  ///   - control: ends the waits between tries when the shippers are to stop.
  ///   - patience: refusals in a row after which a call is given up; `nil`: it is tried for ever.
  init(
    reporter: TroubleReporter, control: ShippingControl, clock: ShippingClock,
    trouble: Logger.Message = "could not deliver: trying again until it works", patience: Int? = nil,
    noteHold: @escaping @Sendable (_ why: String) async throws -> Void = { _ in }
  ) {
    self.reporter = reporter
    self.control = control
    self.clock = clock
    self.trouble = trouble
    self.patience = patience
    self.noteHold = noteHold
  }

  /// For the work of a command, which cancellation alone ends.
  ///
  /// - Parameters:
  ///   - trouble: the message for a try that failed.
  ///   - over: the message when the trouble is over.
  package init(clock: ShippingClock, trouble: Logger.Message, over: Logger.Message, logger: Logger) {
    self.init(
      reporter: TroubleReporter(logger: logger, now: clock.now, over: over), control: ShippingControl(),
      clock: clock, trouble: trouble)
  }

  /// For work beside this one, whose trouble is said on its own.
  func reporting(to reporter: TroubleReporter) -> Attempts {
    Attempts(
      reporter: reporter, control: control, clock: clock, trouble: trouble, patience: patience,
      noteHold: noteHold)
  }

  /// - Parameters:
  ///   - doing: completes "could not".
  ///   - key: what it is done to; left out of messages where the error names it.
  /// - Throws: `CancellationError` or `ShippingStopped`; with a limit to its patience `Refusal`, too.
  package func untilDone<T: Sendable>(
    _ doing: String, key: String, _ operation: () async throws -> T
  ) async throws -> T {
    var generator = SystemRandomNumberGenerator()
    var attempt = 0
    var refusals = 0
    while true {
      do {
        let result = try await operation()
        reporter.succeeded()
        return result
      } catch {
        try Task.checkCancellation()
        attempt += 1
        if let error = error as? AWSError {
          refusals = error.needsOperator ? refusals + 1 : 0
          if let patience, refusals >= patience { throw Refusal(doing: doing, key: key, error: error) }
        }
        failed(error, doing, key: key)
        let retryAfter = (error as? AWSError)?.retryAfter
        try await pause(backoff.delay(afterAttempt: attempt, retryAfter: retryAfter, using: &generator))
      }
    }
  }

  /// Reports a try that failed, or a part of one.
  func failed(_ error: any Error, _ doing: String, key: String) {
    let known = error as? AWSError
    let text = "\(error)"
    var details: Logger.Metadata = ["doing": "\(doing)", "error": "\(text)"]
    if !Refusal.isNamed(key, in: text) { details["key"] = "\(key)" }
    if let hint = known?.hint { details["hint"] = "\(hint)" }
    reporter.failed(
      trouble, cause: known?.code.rawValue ?? "\(type(of: error))",
      needsOperator: known?.needsOperator ?? false, passes: known.map { !$0.needsOperator } ?? false, details)
  }

  /// The time after which a held consumer looks again.
  static let holdInterval = Duration.seconds(60)

  /// Says that the consumer waits for the operator, here and in the log, and waits until it is time to look again.
  /// - Throws: `CancellationError`, `ShippingStopped`, the log's errors.
  package func hold(_ message: Logger.Message, _ details: Logger.Metadata) async throws {
    reporter.held(message, details)
    defer { reporter.released() }
    let facts = details.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    try await noteHold("\(message): \(facts.joined(separator: ", "))")
    try await pause(Self.holdInterval)
  }

  /// The wait after a try that did not fail and led nowhere.
  /// - Parameter attempt: counted from 1.
  /// - Throws: `CancellationError`, `ShippingStopped`.
  package func pause(afterAttempt attempt: Int) async throws {
    var generator = SystemRandomNumberGenerator()
    try await pause(backoff.delay(afterAttempt: attempt, using: &generator))
  }

  private func pause(_ duration: Duration) async throws {
    try await control.pause(duration, clock: clock)
  }
}
