import Glibc
import WAL

/// The findings of a check of a whole log.
package struct LogVerification: Sendable {
  package internal(set) var problems = LogProblems()
  package internal(set) var head: Offset?
  /// The range of the ticks that must be there, `nil` if there need be none.
  package internal(set) var kept: OffsetRange?
  /// Ticks that are as they were appended.
  package internal(set) var good = 0
  /// Ticks that are missing or damaged.
  package internal(set) var bad = 0
  /// Ticks that a salvage has written down as lost.
  package internal(set) var lost = 0
}

/// The progress of a check.
package enum LogVerificationProgress: Sendable {
  /// SQLite checks its own structure; how long that takes is not known.
  case structure
  case ticks(checked: Int, of: Int)
  case records
}

extension LogVerification {
  /// Checks everything in a log that can be checked, and changes nothing; works beside a process that writes it.
  /// Appends made meanwhile are left out.
  ///
  /// - Parameter kinds: the consumers that this program has. Others that the log has are no damage.
  /// - Throws: `CancellationError`; `LogError` with `unusablePath`, `notALog`, `newerSchema` or `failed` if the file
  ///   cannot be read at all. What is merely wrong is a problem, not an error.
  package static func of(
    path: String, consumers kinds: [ConsumerKind],
    report: @escaping @Sendable (LogVerificationProgress) -> Void = { _ in }
  ) async throws -> LogVerification {
    let path = LogFile.resolve(path)
    var objection: String?
    var note: HeadHint?
    var hasWAL = true
    // While a process writes the log, its files change from one read to the next; that one has looked at its start.
    if LogLock.holder(of: path) == nil {
      objection = try WALWitness.objection(to: path)?.text ?? LogFile.headerDamage(of: path)
      note = LogLock.note(of: path)
      hasWAL = LogFile.hasWAL(path)
    }
    let reader = try await LogReader(path: path)
    do {
      var result = try await reader.verify(kinds, objection: objection, report: report)
      if objection == nil, let note, let head = result.head, let id = try await reader.meta("log_id"),
        note.objection(
          to: HeadHint(logID: LogID(rawValue: id), head: head, fileChangedAt: LogFile.changedAt(path)),
          hasWAL: hasWAL) == .missingWAL
      {
        result.problems.add(.structure, note.missingWAL(of: path, endingAt: head))
      }
      try await reader.close()
      return result
    } catch {
      try await reader.close()
      throw error
    }
  }
}

extension LogReader {
  /// Holds a snapshot for as long as SQLite takes to check its structure, otherwise for short stretches.
  fileprivate func verify(
    _ kinds: [ConsumerKind], objection: String?, report: @Sendable (LogVerificationProgress) -> Void
  ) throws -> LogVerification {
    var result = LogVerification()
    if let objection { result.problems.add(.structure, objection) }
    report(.structure)
    try read { try StructureCheck(connection: $0).run(&result.problems) }
    try Task.checkCancellation()
    let extent = try read { try LogExtent($0, fileBytes: fileBytes, &result.problems) }
    result.head = extent.head
    result.kept = extent.kept
    try checkTicks(extent, &result, report)
    report(.records)
    guard extent.head != nil else { return result }
    try read { connection in
      let trimmed = try connection.trimmed()
      try RecordCheck(
        connection: connection, head: try connection.head(), trimmed: trimmed, kinds: kinds
      ).run(&result.problems)
    }
    return result
  }

  private func checkTicks(
    _ extent: LogExtent, _ result: inout LogVerification,
    _ report: @Sendable (LogVerificationProgress) -> Void
  ) throws {
    let total = extent.ranges.reduce(0) { $0 + $1.length }
    var before = 0
    for range in extent.ranges {
      var check = TickCheck(range, known: extent.lost)
      while !check.isDone {
        try Task.checkCancellation()
        report(.ticks(checked: before + range.lowerBound.distance(to: check.next), of: total))
        try read { connection in
          // Trimming may go on meanwhile.
          if try LogExtent.isTrimmed(check.next, connection) {
            check.pass(through: min(range.upperBound, max(check.next, try connection.trimmed())))
          }
          if !check.isDone { try check.step(connection, &result.problems) }
        }
      }
      before += range.length
      result.good += check.good
      result.bad += check.bad
      result.lost += check.lost
    }
  }

  private var fileBytes: Int {
    [path, path + "-wal"].reduce(0) { sum, name in
      var info = stat()
      return sum + (stat(name, &info) == 0 ? Int(info.st_size) : 0)
    }
  }
}
