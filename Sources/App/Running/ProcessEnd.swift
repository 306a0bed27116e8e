import AWS
import Base
import Glibc

/// The end of the process, whichever way it comes: the last words get out where stderr takes them, and a stderr or
/// stdout that takes nothing is not waited for.
enum ProcessEnd {
  /// The time that the last words may take.
  static let patience = Duration.seconds(1)
  /// The same for an end that was asked for at once.
  static let shortPatience = Duration.milliseconds(200)

  /// Skips what the C library does at an exit: it would wait for whoever writes to stdout.
  static func now(_ code: ExitCode, lastWords lines: [String] = [], within time: Duration = patience) -> Never
  {
    // A terminal gets back what was on it, before anything is said there.
    StandardOutput.shared.end(within: shortPatience)
    let console = Console.standardError
    console.endProgress()
    for line in lines { console.writeLine(line, level: code == .done ? .notice : .error) }
    console.flush(within: time)
    RunningGroups.end()
    _exit(code.rawValue)
  }
}
