import Glibc
import WAL

/// Ends of the process that wait for nothing. Everything that was confirmed is on the disk by then.
enum ImmediateExit {
  /// The log can be written no more: nothing after that may look as if it had been kept.
  static func logFailed(_ error: LogError) -> Never {
    Console.standardError.endProgress()
    for line in error.lines { Console.standardError.writeLine("tickwal: \(line)") }
    exit(ExitCode.logFailed.rawValue)
  }

  static func secondSignal(_ code: ExitCode) -> Never {
    Console.standardError.endProgress()
    Console.standardError.writeLine(
      "tickwal: second signal: ended at once; what was on its way is sent again at the next start")
    exit(code.rawValue)
  }

  /// For an end that hangs, on a full volume perhaps.
  static func unlessEnded(within seconds: UInt32) {
    _ = DedicatedThread {
      sleep(seconds)
      Console.standardError.endProgress()
      Console.standardError.writeLine(
        "tickwal: ended without waiting any longer; what the log had not confirmed is lost to the next start's gap"
      )
      exit(ExitCode.done.rawValue)
    }
  }
}
