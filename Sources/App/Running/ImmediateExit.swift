import Base
import Glibc
import WAL

/// Ends of the process that wait for nothing. Everything that was confirmed is on the disk by then.
enum ImmediateExit {
  /// The log can be written no more: nothing after that may look as if it had been kept.
  static func logFailed(_ error: LogError) -> Never {
    Console.standardError.endProgress()
    for line in error.lines { Console.standardError.writeLine("tickwal: \(line)") }
    exit(error.exitCode.rawValue)
  }

  /// The log's files were taken away, and nobody waits for what there is to be saved once more.
  static func logLost(_ loss: LogLoss) -> Never {
    Console.standardError.endProgress()
    Console.standardError.writeLine(
      "tickwal: second signal: ended at once; the log's files were taken away (\(loss)): what was saved is said "
        + "above, what was shipped since is not in it")
    exit(ExitCode.logFailed.rawValue)
  }

  /// Nothing has been received yet, and what is waited for (room on the volume, say) may not come.
  static func beforeOpening(_ code: ExitCode) -> Never {
    Console.standardError.endProgress()
    Console.standardError.writeLine("tickwal: ended before the log was open")
    exit(code.rawValue)
  }

  static func secondSignal(_ code: ExitCode) -> Never {
    Console.standardError.endProgress()
    Console.standardError.writeLine(
      "tickwal: second signal: ended at once; what was on its way is sent again at the next start")
    exit(code.rawValue)
  }

  /// Room did not come back before the end that was asked for.
  static func fullVolume(_ code: ExitCode) -> Never {
    Console.standardError.endProgress()
    Console.standardError.writeLine(
      "tickwal: the volume of the log is full: what was received last could not be appended, and the next "
        + "start records a gap; everything that was appended is safe")
    exit(code.rawValue)
  }

  /// For an end that hangs.
  static func unlessEnded(within seconds: UInt32, _ code: ExitCode) {
    let end: @Sendable () -> Void = {
      Console.standardError.endProgress()
      Console.standardError.writeLine(
        "tickwal: ended without waiting any longer; everything that was appended is safe")
      exit(code.rawValue)
    }
    do throws(SystemError) {
      _ = try DedicatedThread {
        sleep(seconds)
        end()
      }
    } catch {
      // Without a thread nobody would end a process that hangs.
      end()
    }
  }
}
