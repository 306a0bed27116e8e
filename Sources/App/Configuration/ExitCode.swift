import Base

/// The program's exit status. Kept stable: service managers and scripts rely on it.
///
/// Reference: sysexits(3).
enum ExitCode: Int32, Sendable {
  /// Done.
  case done = 0
  /// The command found problems.
  case problems = 1
  /// Unknown command or flag, or a missing argument.
  case usage = 64
  /// The log failed: its data may not be on disk.
  case logFailed = 74
  /// Another process uses the log.
  case logInUse = 75
  /// A bad value, an unusable log path, a file that is not a log, or a log of a newer version.
  case badValue = 78
  /// Interrupted by a signal (commands other than `run`).
  case interrupted = 130
}

/// An error that ends a command with a status and says why, for the operator.
protocol CommandError: Error {
  var exitCode: ExitCode { get }
  /// The trouble, its object and the remedy; one line each, without secrets.
  var lines: [String] { get }
}

/// A command's end with a message.
struct CommandFailure: CommandError, Equatable {
  let exitCode: ExitCode
  let lines: [String]

  init(_ exitCode: ExitCode, _ lines: String...) {
    self.exitCode = exitCode
    self.lines = lines
  }
}

extension BadSettings: CommandError {
  var exitCode: ExitCode { .badValue }
  var lines: [String] { problems.map(\.line) }
}
