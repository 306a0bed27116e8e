import WAL

extension LogError: CommandError {
  var exitCode: ExitCode {
    switch code {
    case .inUse: .logInUse
    case .unusablePath, .notALog, .newerSchema, .destinationChanged: .badValue
    case .failed, .closed, .diskFull, .alreadyPlanned: .logFailed
    case .notFound: .problems
    }
  }

  var lines: [String] {
    switch code {
    case .failed:
      [
        Text.oneLine(description),
        "the log failed: the process ends, so that nothing is written after what may be lost. "
          + "Everything that was confirmed is safe. Look at the volume (dmesg), then start again.",
      ]
    default: [Text.oneLine(description)]
    }
  }
}
