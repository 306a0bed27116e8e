import Base
import WAL

extension LogError: CommandError {
  var exitCode: ExitCode {
    switch code {
    case .inUse: .logInUse
    case .unusablePath, .notALog, .newerSchema, .destinationChanged: .badValue
    case .failed, .lost, .closed, .diskFull, .alreadyPlanned, .consumerMoved: .logFailed
    case .notFound: .problems
    }
  }

  var lines: [String] {
    switch code {
    // Some say already what to do, after a colon.
    case .inUse where !line.contains(": "): ["\(line): stop it first, or name another log with WAL_PATH"]
    case .failed where isDamage:
      [
        line,
        "a part of the log's file is damaged, or the disk cannot read it (dmesg): `tickwal verify` says what is "
          + "damaged, and with --salvage FILE makes a new log of what can be read.",
      ]
    case .failed where isOfVolume:
      [
        line,
        "the log failed: the process ends, so that nothing is written after what may be lost. "
          + "Everything that was confirmed is safe. Look at the volume (dmesg), then start again.",
      ]
    case .failed:
      [
        line,
        "the log failed: the process ends, so that nothing is written after what may be lost; start again",
      ]
    case .diskFull: ["\(line); the volume has no room: make some (df -h, df -i) and try again"]
    default: [line]
    }
  }

  /// Whole: it names paths and destinations, and says at its end what to do.
  private var line: String { Text.oneLine(description, limit: 4_000) }
}
