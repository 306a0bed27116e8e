import Base
import Logging
import Shippers
import WAL

/// Lets the process that has the log open do something, or does it itself if there is none.
struct LogOperator: Sendable {
  let settings: Configuration
  let logger: Logger
  /// For deliveries without a process that runs; called when one is due.
  let makeShipping: @Sendable () async throws -> Shipping

  /// The time for which a process may have the lock without listening: it may be starting or ending.
  var patience = Duration.seconds(3)
  private static let pause = Duration.milliseconds(100)
  var holderPatience = HolderPatience()

  /// - Throws: `CommandFailure` with what the answer says went wrong, or (75) if the log is in use by somebody
  ///   who does not listen; `LogError`.
  func ask(_ request: ControlRequest) async throws -> ControlAnswer {
    try settings.log.path.checkReadable()
    let client = try ControlClient(ControlAddress(logPath: settings.log.path.absolute))
    let clock = ContinuousClock()
    let deadline = clock.now.advanced(by: patience)
    while true {
      do {
        return try await doIt(request)
      } catch let inUse as LogError where inUse.isInUse {
        do {
          return try await client.ask(request, patience: holderPatience) {
            Console.standardError.writeLine(
              "tickwal: \(inUse.holder) holds the log and does not answer; is it stopped? Waiting for it")
          }
        } catch let error as SystemError {
          guard error.meansNobody else { throw CommandFailure(.problems, "\(error)") }
          guard clock.now < deadline else { throw Self.deaf(inUse) }
          try await clock.sleep(for: Self.pause)
        }
      }
    }
  }

  private func doIt(_ request: ControlRequest) async throws -> ControlAnswer {
    let log = try await settings.openLog(logger: logger)
    // The command itself says what it has done.
    var logger = logger
    logger.logLevel = max(logger.logLevel, .warning)
    let answer = await Operations(log: log, loops: [], shipping: makeShipping, logger: logger).answer(request)
    try await log.close()
    return try answer.checked()
  }

  private static func deaf(_ error: LogError) -> CommandFailure {
    CommandFailure(
      .logInUse,
      "\(error.description), which does not listen on its socket: wait until it has ended, or stop it")
  }
}

extension LogError {
  fileprivate var holder: String {
    if case .inUse(let pid?) = code { "process \(pid)" } else { "another process" }
  }

  fileprivate var isInUse: Bool {
    if case .inUse = code { true } else { false }
  }
}
