import Base
import Logging
import WAL

/// Serves `WAL_PATH.sock` beside the work: who only looks is answered at once, everything else is done in turn.
struct ControlServer: Sendable {
  let operations: Operations
  let logger: Logger

  /// A request that changes something, with the client who waits for it.
  private struct Work: Sendable {
    let client: ControlClients.ID
    let request: ControlRequest
  }

  /// Runs until it is cancelled. Trouble with the socket ends nothing else: commands then say that nobody
  /// listens.
  func run() async throws {
    // Each client has one line under way: there are never more than places for clients.
    let (requests, heard) = AsyncStream.makeStream(
      of: ControlListener.Request.self, bufferingPolicy: .bufferingOldest(ControlClients.limit))
    let listener: ControlListener
    do {
      listener = try ControlListener(
        ControlAddress(logPath: operations.log.path), hear: { heard.yield($0) },
        missed: { error in
          logger.warning(
            "who asked has gone before the answer; what was asked is done", metadata: ["error": "\(error)"])
        },
        failed: { error in
          unserved(error)
          heard.finish()
        })
    } catch {
      return unserved(error)
    }
    let (work, given) = AsyncStream.makeStream(
      of: Work.self, bufferingPolicy: .bufferingOldest(ControlClients.limit))
    await withTaskCancellationHandler {
      await withTaskGroup(of: Void.self) { group in
        group.addTask {
          for await request in requests {
            switch read(request.line) {
            case .failure(let refusal):
              answer(.failed(.problems, refusal.text), to: request.client, listener)
            case .success(let asked) where asked.isHarmless:
              answer(await operations.answer(asked), to: request.client, listener)
            case .success(let asked): given.yield(Work(client: request.client, request: asked))
            }
          }
          given.finish()
        }
        group.addTask {
          for await work in work {
            answer(await operations.answer(work.request), to: work.client, isMissed: true, listener)
          }
        }
      }
    } onCancel: {
      listener.stop()
    }
    await listener.end(farewell: Self.line(.failed(.problems, Operations.endingNow)))
  }

  private func unserved(_ error: SystemError) {
    logger.error(
      "`tickwal seek` and `dead-letters` cannot reach this process: everything else goes on",
      metadata: ["error": "\(error)"])
  }

  /// - Parameter isMissed: `false` for who only looks, and does not wait for long.
  private func answer(
    _ answer: ControlAnswer, to client: ControlClients.ID, isMissed: Bool = false, _ listener: ControlListener
  ) {
    listener.answer(ControlListener.Answer(client: client, line: Self.line(answer), isMissed: isMissed))
  }

  private static func line(_ answer: ControlAnswer) -> [UInt8] {
    do {
      return try ControlLine.encode(answer)
    } catch {
      preconditionFailure("an answer of numbers and texts cannot be encoded: \(error)")
    }
  }

  private struct Refusal: Error {
    let text: String
  }

  private func read(_ line: [UInt8]) -> Result<ControlRequest, Refusal> {
    do {
      let version = try ControlLine.decode(ControlLine.Version.self, line).version
      guard version == ControlRequest.version else {
        return .failure(
          Refusal(
            text:
              "the process that has the log open speaks version \(ControlRequest.version) of the socket's language, and was asked in version \(version): use the same tickwal"
          ))
      }
      return .success(try ControlLine.decode(ControlRequest.self, line))
    } catch let error as CommandFailure {
      return .failure(Refusal(text: error.lines.joined(separator: " ")))
    } catch {
      return .failure(Refusal(text: "\(error)"))
    }
  }
}
