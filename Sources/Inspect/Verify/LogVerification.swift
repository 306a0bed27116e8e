import Base
import Glibc
import Ticks
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
  /// The exchange's ids that are missing outside gaps; no problem of the log.
  package internal(set) var sequences = SequenceFindings()
}

/// The way to the exchange's own ids of a tick; `nil` for one that has none. The log knows no exchange.
package typealias TickIDs =
  @Sendable (_ stream: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) -> IDStep?

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
  /// - Parameters:
  ///   - kinds: the consumers that this program has. Others that the log has are no damage.
  ///   - ids: the ids that are looked at.
  /// - Throws: `CancellationError`; `LogError` with `unusablePath`, `notALog`, `newerSchema` or `failed` if the file
  ///   cannot be read at all. What is merely wrong is a problem, not an error.
  package static func of(
    path: String, consumers kinds: [ConsumerKind],
    report: @escaping @Sendable (LogVerificationProgress) -> Void = { _ in },
    ids: @escaping TickIDs = { _, _ in nil }
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
      var result = try await reader.verify(kinds, ids, objection: objection, report: report)
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
    _ kinds: [ConsumerKind], _ ids: TickIDs, objection: String?,
    report: @Sendable (LogVerificationProgress) -> Void
  ) throws -> LogVerification {
    var result = LogVerification()
    if let objection { result.problems.add(.structure, objection) }
    report(.structure)
    try read { try StructureCheck(connection: $0).run(&result.problems) }
    try Task.checkCancellation()
    let extent = try read { try LogExtent($0, fileBytes: fileBytes, &result.problems) }
    result.head = extent.head
    result.kept = extent.kept
    var sequences = SequenceCheck()
    try checkTicks(extent, ids, &sequences, &result, report)
    report(.records)
    guard extent.head != nil else { return result }
    try read { connection in
      let trimmed = try connection.trimmed()
      try RecordCheck(
        connection: connection, head: try connection.head(), trimmed: trimmed, kinds: kinds
      ).run(&result.problems)
    }
    try leaveOutGaps(&sequences)
    result.sequences = sequences.findings
    return result
  }

  private func leaveOutGaps(_ sequences: inout SequenceCheck) throws {
    var next = Gap.ID(rawValue: 0)
    while !sequences.isEmpty {
      try Task.checkCancellation()
      do {
        let page = try gaps(from: next, atMost: 1_000)
        guard let last = page.last else { return }
        for gap in page { sequences.cover(gap) }
        guard last.id.rawValue < .max else { return }
        next = Gap.ID(rawValue: last.id.rawValue + 1)
      } catch let error as SQLiteError {
        // Said already, with the records.
        guard error.isCorruption || error.isGeneric else { throw error }
        return
      }
    }
  }

  private func checkTicks(
    _ extent: LogExtent, _ ids: TickIDs, _ sequences: inout SequenceCheck,
    _ result: inout LogVerification,
    _ report: @Sendable (LogVerificationProgress) -> Void
  ) throws {
    let total = extent.ranges.reduce(0) { $0.addingSaturated($1.length) }
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
          guard !check.isDone else { return }
          try check.step(
            connection, &result.problems,
            good: { (row) throws(SQLiteError) in
              guard let step = ids(row.stream, row.payload) else { return }
              sequences.add(
                step, stream: row.stream, receivedAt: row.receivedAt, eventTime: row.eventTime)
            })
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
