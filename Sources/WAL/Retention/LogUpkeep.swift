import Logging

/// What the writer's thread does between commits so that the log keeps its size: trims what is old, and
/// gives free pages back.
struct LogUpkeep {
  private let connection: SQLiteConnection
  private let options: TickLog.Options
  private let rule: RetentionRule
  private let logger: Logger
  private let trimmer: Trimmer
  private var ages: AgeRecord
  private var vacuum = VacuumSchedule()
  /// On the log's own time: trimming is not tried before, because the file is damaged.
  private var heldUntil: Int64 = 0

  private static let holdAfterDamage: Int64 = 600_000_000

  init(
    _ connection: SQLiteConnection, retention: Duration, options: TickLog.Options, logger: Logger
  ) throws(SQLiteError) {
    self.connection = connection
    self.options = options
    self.logger = logger
    rule = RetentionRule(retention: retention)
    trimmer = Trimmer(connection)
    ages = try AgeRecord(connection, now: options.uptime(), wall: options.wallClock())
  }

  /// Does one piece: a transaction of a few milliseconds.
  ///
  /// - Returns: whether there may be more to do.
  mutating func step(head: Offset) throws(SQLiteError) -> Bool {
    let now = options.uptime()
    guard ages.time(at: now) >= heldUntil else { return false }
    do throws(SQLiteError) {
      if try trim(head: head, now: now) { return true }
      return try returnPages()
    } catch {
      if connection.isInTransaction { try connection.execute("ROLLBACK") }
      if error.isBusy || error.isDiskFull { return false }
      guard error.isCorruption else { throw error }
      heldUntil = ages.time(at: now) + Self.holdAfterDamage
      logger.error(
        "the log's file is damaged where old ticks are to be trimmed: it grows until that is mended",
        metadata: ["error": "\(error)"])
      return false
    }
  }

  private mutating func trim(head: Offset, now: Uptime) throws(SQLiteError) -> Bool {
    let hasRows = try trimmer.hasRows()
    let boundary = hasRows ? nil : try trimmer.boundary(through: try lastTrimmable(head: head, now: now))
    let isMarkDue = ages.isMarkDue(at: now)
    guard hasRows || boundary != nil || isMarkDue else { return false }
    let start = MonotonicClock.now()
    try connection.run("BEGIN IMMEDIATE")
    if isMarkDue {
      try ages.mark(
        connection, head: head, endedGap: try trimmer.lastEndedGap(), rule: rule, now: now,
        wall: options.wallClock())
      let oldGap = ages.gaps.highest(
        agedAtLeast: RetentionRule.gaps.microseconds, at: ages.time(at: now))
      if let oldGap { try trimmer.deleteGaps(through: oldGap) }
    }
    if let boundary { try trimmer.move(to: boundary, head: head) }
    try trimmer.deleteRows { MonotonicClock.now() - start }
    try connection.run("COMMIT")
    return hasRows || boundary != nil
  }

  private func lastTrimmable(head: Offset, now: Uptime) throws(SQLiteError) -> Offset {
    let next = try connection.int("SELECT min(next_offset) FROM consumers WHERE enabled")
    let oldEnough = ages.offsets.highest(
      agedAtLeast: rule.retention.microseconds, at: ages.time(at: now))
    return RetentionRule.last(
      head: head, next: next.map { Offset(rawValue: $0) }, oldEnough: Offset(rawValue: oldEnough ?? 0),
      isSpaceShort: false)
  }

  private mutating func returnPages() throws(SQLiteError) -> Bool {
    let free = Int(try connection.int("PRAGMA freelist_count") ?? 0)
    let total = Int(try connection.int("PRAGMA page_count") ?? 0)
    let pages = vacuum.pages(free: free, total: total, isSpaceShort: false)
    guard pages > 0 else { return false }
    // Through sqlite3_exec, which steps it to its end: each step gives one page back.
    try connection.execute("PRAGMA incremental_vacuum(\(pages))")
    return true
  }
}
