import Base
import Logging
import WAL

/// Serves `WAL_PATH.sock` beside the work: hears one request after the other, and answers each.
struct ControlServer: Sendable {
  let operations: Operations
  let logger: Logger

  /// Runs until it is cancelled. Trouble with the socket ends nothing else: commands then say that nobody
  /// listens.
  func run() async throws {
    let listener: ControlListener
    do {
      listener = try ControlListener(ControlAddress(logPath: operations.log.path))
    } catch {
      return unserved(error)
    }
    do {
      try await serve(listener)
    } catch let error as SystemError {
      unserved(error)
    }
    await listener.removeName()
  }

  private func unserved(_ error: SystemError) {
    logger.error(
      "`tickwal seek` and `dead-letters` cannot reach this process: everything else goes on",
      metadata: ["error": "\(error)"])
  }

  private func serve(_ listener: ControlListener) async throws {
    try await withTaskCancellationHandler {
      while let line = try await listener.nextLine() {
        let (answer, isHarmless) = await answer(line)
        do {
          try await listener.answer(try ControlLine.encode(answer))
        } catch let error as SystemError {
          // Who only looks does not wait for long.
          if isHarmless { continue }
          logger.warning(
            "who asked has gone before the answer; what was asked is done", metadata: ["error": "\(error)"])
        }
      }
    } onCancel: {
      listener.stop()
    }
  }

  private func answer(_ line: [UInt8]) async -> (answer: ControlAnswer, isHarmless: Bool) {
    do {
      let version = try ControlLine.decode(ControlLine.Version.self, line).version
      guard version == ControlRequest.version else {
        let refusal =
          "the process that has the log open speaks version \(ControlRequest.version) of the socket's language, and was asked in version \(version): use the same tickwal"
        return (.failed(.problems, refusal), false)
      }
      let request = try ControlLine.decode(ControlRequest.self, line)
      return (await operations.answer(request), request.isHarmless)
    } catch let error as CommandFailure {
      return (.failed(error.exitCode, error.lines.joined(separator: " ")), false)
    } catch {
      return (.failed(.problems, "\(error)"), false)
    }
  }
}
