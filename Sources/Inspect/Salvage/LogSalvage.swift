import Base
import Glibc
import WAL

/// The outcome of a salvage: what it has brought over.
package struct SalvageOutcome: Sendable {
  package internal(set) var logID = LogID(rawValue: "")
  /// Whether the old `log_id` could not be read, so that the new log has one of its own.
  package internal(set) var hasNewLogID = false
  package internal(set) var head = Offset.zero
  package internal(set) var ticks = 0
  /// The count of those that no page led to any more.
  package internal(set) var foundOnPages = 0
  package internal(set) var lost = 0
  /// The first of the ranges that are lost.
  package internal(set) var lostRanges: [OffsetRange] = []
  /// Other things that were not brought over, a line each.
  package internal(set) var notes: [String] = []
}

package enum SalvageProgress: Sendable {
  case ticks(copied: Int, of: Int)
  case pages(read: Int, of: Int)
}

/// Makes a new log of everything that can be read from one that is damaged. The old one is not touched.
///
/// First by SQLite, around what is damaged; then, if ticks are missing, from the pages themselves: a tick is known
/// by its checksum, wherever it lies.
package actor LogSalvage {
  private let executor: ThreadExecutor
  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let path: String
  private let output: String
  private let kinds: [ConsumerKind]
  private let report: @Sendable (SalvageProgress) -> Void

  /// - Parameter kinds: the consumers that this program has. Others that the log has are brought over as they are.
  package init(
    of path: String, to output: String, consumers kinds: [ConsumerKind],
    report: @escaping @Sendable (SalvageProgress) -> Void = { _ in }
  ) throws {
    executor = try ThreadExecutor(named: "salvage")
    self.path = LogFile.resolve(path)
    self.output = output
    self.kinds = kinds
    self.report = report
  }

  /// The new log is durable, and has its name, when this returns. Interrupted, it leaves nothing.
  ///
  /// - Throws: `LogError` with `unusablePath` if there is something under the new name, `notALog` if there is nothing
  ///   of a log in the old file, `inUse` if a process writes it; `CancellationError`.
  package func run() throws -> SalvageOutcome {
    try Self.checkUnused(path)
    var info = stat()
    for suffix in ["", "-wal"] where lstat(output + suffix, &info) == 0 {
      throw LogError(.notALog, "\(output)\(suffix) is there already: name another file for what is salvaged")
    }
    let part = output + ".part"
    let image = output + ".image"
    defer { for name in [part, image] { Self.remove(name) } }
    for name in [part, image] { Self.remove(name) }
    try TickLog.create(path: part, options: TickLog.Options())
    do {
      let copy = try SQLiteConnection(path: part, access: .readWrite)
      try copy.execute(
        "PRAGMA synchronous = OFF; PRAGMA wal_autocheckpoint = 4000; PRAGMA cache_size = -16384")
      let source = try SalvageSource(path: path, image: image, template: part)
      let outcome = try salvage(source, into: copy)
      try copy.execute("PRAGMA synchronous = FULL")
      try copy.checkpoint(.truncate)
      try copy.close()
      // Another process may have made it meanwhile.
      guard lstat(output, &info) != 0 else {
        throw LogError(.notALog, "\(output) is there already: name another file for what is salvaged")
      }
      // A process that was started meanwhile has appended or trimmed what is not in the copy, or not lost.
      try Self.checkUnused(path)
      try LogFile.publish(part, as: output)
      return outcome
    } catch let error as SQLiteError {
      throw LogError("salvaging \(path) to \(output)", error)
    }
  }

  /// - Throws: `LogError` with `inUse`, naming the process that writes the log: what it trims meanwhile would count as
  ///   lost, and what it appends would be left behind.
  package static func checkUnused(_ path: String) throws(LogError) {
    let path = LogFile.resolve(path)
    guard let pid = LogLock.holder(of: path) else { return }
    throw LogError(.inUse(pid: pid), "the log \(path) is in use by process \(pid): stop it before a salvage")
  }

  private func salvage(_ source: SalvageSource, into copy: SQLiteConnection) throws -> SalvageOutcome {
    var outcome = SalvageOutcome()
    outcome.notes = source.notes
    try copy.execute("BEGIN; DELETE FROM meta")
    var extent: LogExtent?
    if let connection = source.connection {
      for table in TableCopy.all {
        let copied = try table.run(from: connection, to: copy)
        if let damage = copied.damage {
          outcome.notes.append("\(table.table): only \(copied.copied) rows could be read (\(damage))")
        }
        if copied.refused > 0 { outcome.notes.append("\(table.table): \(copied.refused) rows are damaged") }
      }
      var ignored = LogProblems()
      extent = try LogExtent(connection, fileBytes: source.bytes, &ignored)
    }
    try copy.execute("COMMIT")
    if let connection = source.connection, let extent {
      try copyTicks(from: connection, extent, to: copy, &outcome)
      try connection.close()
    }
    let there = try copy.int("SELECT count(*) FROM ticks") ?? 0
    if extent.map({ Int64($0.ranges.reduce(0) { $0.addingSaturated($1.length) }) > there }) ?? true {
      try copyFromPages(source, to: copy, extent, &outcome)
    }
    guard
      try copy.int("SELECT max(offset) FROM ticks") != nil || copy.int("SELECT 1 FROM meta LIMIT 1") != nil
    else { throw LogError(.notALog, "there is nothing of a log in \(path)") }
    try SalvageFinish(
      copy: copy, extent: extent, fileBytes: source.bytes, note: LogLock.note(of: path), kinds: kinds
    ).run(&outcome)
    return outcome
  }

  /// By SQLite.
  private func copyTicks(
    from source: SQLiteConnection, _ extent: LogExtent, to copy: SQLiteConnection,
    _ outcome: inout SalvageOutcome
  ) throws {
    let inserter = SalvageInserter(copy)
    var ignored = LogProblems()
    let total = extent.ranges.reduce(0) { $0.addingSaturated($1.length) }
    var before = 0
    for range in extent.ranges {
      var check = TickCheck(range, known: extent.lost)
      while !check.isDone {
        try Task.checkCancellation()
        report(.ticks(copied: before + range.lowerBound.distance(to: check.next), of: total))
        try copy.execute("BEGIN")
        try check.step(source, &ignored) { (row) throws(SQLiteError) in
          try inserter.insert(row)
        } bad: { (row) throws(SQLiteError) in
          try inserter.keepDamaged(row)
        }
        try copy.execute("COMMIT")
      }
      before += range.length
      outcome.ticks += check.good
    }
  }

  /// From the pages themselves.
  private func copyFromPages(
    _ source: SalvageSource, to copy: SQLiteConnection, _ extent: LogExtent?, _ outcome: inout SalvageOutcome
  ) throws {
    let inserter = SalvageInserter(copy)
    let pages = try source.pages()
    defer { pages.close() }
    let ticks = RawTicks(pages: pages)
    try copy.execute("BEGIN")
    for number in 1..<max(1, pages.count + 1) {
      if number % 500 == 1 {
        try Task.checkCancellation()
        report(.pages(read: number, of: pages.count))
      }
      try ticks.visit(page: UInt32(number)) { row in
        // What is trimmed may still lie about.
        if let extent, !extent.ranges.contains(where: { $0.contains(row.offset) }) { return }
        guard try inserter.insertIfMissing(row) else { return }
        outcome.ticks += 1
        outcome.foundOnPages += 1
      }
    }
    try copy.execute("COMMIT")
  }

  /// Removes what reading the new log has left beside it. Nobody else has it open yet.
  package static func removeSides(of output: String) {
    guard !LogFile.hasWAL(output) else { return }
    for suffix in ["-wal", "-shm"] { unlink(output + suffix) }
  }

  private static func remove(_ name: String) {
    // What is not there need not be removed, and what cannot be is said by the next that makes it.
    for suffix in ["", "-wal", "-shm", "-journal", ".new"] { unlink(name + suffix) }
  }
}
