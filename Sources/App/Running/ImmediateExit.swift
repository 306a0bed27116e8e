import Base
import Glibc
import WAL

/// Ends of the process that wait for nothing. Everything that was confirmed is on the disk by then.
enum ImmediateExit {
  /// The log can be written no more: nothing after that may look as if it had been kept.
  static func logFailed(_ error: LogError) -> Never {
    ProcessEnd.now(error.exitCode, lastWords: error.lines.map { "tickwal: \($0)" })
  }

  /// The log's files were taken away, and nobody waits for what there is to be saved once more.
  static func logLost(_ loss: LogLoss) -> Never {
    ProcessEnd.now(
      .logFailed,
      lastWords: [
        "tickwal: second signal: ended at once; the log's files were taken away (\(loss)): what was saved is said "
          + "above, what was shipped since is not in it"
      ],
      within: ProcessEnd.shortPatience)
  }

  /// Nothing has been received yet, and what is waited for (room on the volume, say) may not come.
  static func beforeOpening(_ code: ExitCode) -> Never {
    ProcessEnd.now(code, lastWords: ["tickwal: ended before the log was open"])
  }

  static func secondSignal(_ code: ExitCode) -> Never {
    ProcessEnd.now(
      code,
      lastWords: [
        "tickwal: second signal: ended at once; what was on its way is sent again at the next start"
      ],
      within: ProcessEnd.shortPatience)
  }

  /// Room did not come back before the end that was asked for.
  static func fullVolume(_ code: ExitCode) -> Never {
    ProcessEnd.now(
      code,
      lastWords: [
        "tickwal: the volume of the log is full: what was received last could not be appended, and the next "
          + "start records a gap; everything that was appended is safe"
      ])
  }

  /// For an end that hangs.
  static func unlessEnded(within seconds: UInt32, _ code: ExitCode) {
    let end: @Sendable () -> Void = {
      ProcessEnd.now(
        code, lastWords: ["tickwal: ended without waiting any longer; everything that was appended is safe"])
    }
    do throws(SystemError) {
      _ = try DedicatedThread(named: "exit") {
        sleep(seconds)
        end()
      }
    } catch {
      // Without a thread nobody would end a process that hangs.
      end()
    }
  }
}
