/// A failure of the log, with what was being done.
package struct LogError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible {
  package enum Code: Sendable, Equatable {
    /// Another process has it open; `pid` if the lock file names it.
    case inUse(pid: Int32?)
    /// The path cannot be used: no such folder, no permission, a directory.
    case unusablePath
    /// The file is something else, or a log that cannot be read any more.
    case notALog
    /// Written by a newer tickwal.
    case newerSchema
    /// A consumer was started with another destination than the one stored.
    case destinationChanged
    /// A write, an fsync or a read that the log depends on failed; the process must end.
    case failed
    /// The log's files have been removed, moved or replaced beneath the process; the description says what is saved.
    case lost
    /// The log was closed.
    case closed
    /// Something that was asked for is not in the log.
    case notFound
    /// A plan for some of the offsets is there already.
    case alreadyPlanned
    /// The offsets confirmed do not follow those that the consumer has behind it: somebody has moved it.
    case consumerMoved
    /// The volume has no room; the writer itself retries this, a reader or opener reports it.
    case diskFull
  }

  package let code: Code
  /// Safe for a log line.
  package let description: String
  package let debugDescription: String
  /// The content of the file is damaged; not its volume, as far as is known.
  package let isDamage: Bool
  /// The system failed at one of its files: the volume is the place to look at.
  package let isOfVolume: Bool

  package init(_ code: Code, _ description: String, details: String? = nil) {
    self.code = code
    self.description = description
    debugDescription = details ?? description
    isDamage = false
    isOfVolume = false
  }

  package init(_ doing: String, _ error: SQLiteError) {
    code = error.isDiskFull ? .diskFull : .failed
    description = "\(doing): \(error)"
    debugDescription = "\(doing): \(error) in: \(error.sql)"
    isOfVolume = error.isOfVolume
    isDamage = error.isCorruption
  }
}
