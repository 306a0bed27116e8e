import Base
import Logging

/// The work of the writer's thread between commits so that the log keeps its size: trims what is old, and gives
/// free pages back.
struct LogUpkeep {
  struct Settings: Sendable, Equatable {
    var retention: Duration
    var disk: DiskLimits
  }

  let settings: Settings
  private let connection: SQLiteConnection
  private let options: TickLog.Options
  private let rule: RetentionRule
  private let logger: Logger
  private let trimmer: Trimmer
  private var ages: AgeRecord
  private var vacuum: VacuumSchedule
  /// On the log's own time: trimming is not tried before, because the file is damaged.
  private var heldUntil: Int64 = 0
  private var spare: SparePages
  /// Pieces are smaller by this where the usual ones find no room in SQLite's WAL.
  private var divisor = 1

  private static let holdAfterDamage: Int64 = 600_000_000
  private static let greatestDivisor = 512

  init(
    _ connection: SQLiteConnection, settings: Settings, options: TickLog.Options, logger: Logger
  ) throws(SQLiteError) {
    self.settings = settings
    self.connection = connection
    self.options = options
    self.logger = logger
    rule = RetentionRule(retention: settings.retention)
    trimmer = Trimmer(connection, step: options.trimStep)
    vacuum = options.vacuum
    spare = SparePages(connection)
    ages = try AgeRecord(connection, now: options.uptime(), wall: options.wallClock())
  }

  /// Does one piece: a transaction of a few milliseconds.
  ///
  /// - Parameter disk: says whether space is short, after a look.
  /// - Returns: whether there may be more to do.
  mutating func step(head: Offset, disk: inout DiskKeeper) throws(SQLiteError) -> Bool {
    let now = options.uptime()
    do throws(SQLiteError) {
      let free = try disk.look(connection)
      let isSpaceShort = disk.state.isShort
      guard ages.time(at: now) >= heldUntil else { return false }
      var didWork = try trim(head: head, now: now, isSpaceShort: isSpaceShort)
      if !didWork { didWork = try spare.step(free: free, disk: disk.state) }
      if !didWork { didWork = try returnPages(free: free, isSpaceShort: isSpaceShort) }
      if didWork { divisor = max(1, divisor / 2) }
      return didWork
    } catch {
      if connection.isInTransaction { try connection.execute("ROLLBACK") }
      if error.isBusy { return false }
      if error.isDiskFull { divisor = min(divisor * 8, Self.greatestDivisor) }
      guard error.isCorruption else { throw error }
      heldUntil = ages.time(at: now).addingSaturated(Self.holdAfterDamage)
      logger.error(
        "the log's file is damaged where old ticks are to be trimmed: it grows until that is mended",
        metadata: ["error": "\(error)"])
      return false
    }
  }

  private mutating func trim(head: Offset, now: Uptime, isSpaceShort: Bool) throws(SQLiteError) -> Bool {
    let hasRows = try trimmer.hasRows()
    let boundary =
      hasRows
      ? nil
      : try trimmer.boundary(through: lastTrimmable(head: head, now: now, isSpaceShort: isSpaceShort))
    let isMarkDue = ages.isMarkDue(at: now)
    guard hasRows || boundary != nil || isMarkDue else { return false }
    let start = MonotonicClock.now()
    try connection.run("BEGIN IMMEDIATE")
    if isMarkDue {
      try ages.mark(
        connection, head: head, endedGap: try connection.lastEndedGap(), rule: rule, now: now,
        wall: options.wallClock())
      let oldGap = ages.gaps.highest(
        agedAtLeast: RetentionRule.gaps.microseconds, at: ages.time(at: now))
      if let oldGap { try connection.deleteGaps(through: oldGap) }
    }
    let trimmed = try connection.trimmed()
    if let boundary { try trimmer.move(to: boundary, head: head) }
    // Rows are left before the start where a plan held them until now: the plan goes with them.
    if hasRows { try connection.deleteShippedPlans(through: try connection.trimmed()) }
    try trimmer.deleteRows(dividedBy: divisor) { MonotonicClock.now() - start }
    KillPoint.trim.before()
    try connection.run("COMMIT")
    KillPoint.trim.after()
    if let boundary { LogMetrics.shared.trimmedTicks.increment(by: trimmed.distance(to: boundary)) }
    return hasRows || boundary != nil
  }

  private func lastTrimmable(head: Offset, now: Uptime, isSpaceShort: Bool) throws(SQLiteError) -> Offset {
    let next = try connection.lowestNext()
    let oldEnough = ages.offsets.highest(
      agedAtLeast: rule.retention.microseconds, at: ages.time(at: now))
    return RetentionRule.last(
      head: head, next: next, oldEnough: Offset(rawValue: oldEnough ?? 0),
      isSpaceShort: isSpaceShort)
  }

  private mutating func returnPages(free: Int, isSpaceShort: Bool) throws(SQLiteError) -> Bool {
    let total = Int(try connection.int("PRAGMA page_count") ?? 0)
    let free = isSpaceShort ? max(0, free - SparePages.count) : free
    let pages = vacuum.pages(free: free, total: total, isSpaceShort: isSpaceShort)
    guard pages > 0 else { return false }
    let portion = max(1, pages / divisor)
    KillPoint.vacuum.before()
    // Through sqlite3_exec, which steps it to its end: each step gives one page back.
    try connection.execute("PRAGMA incremental_vacuum(\(portion))")
    KillPoint.vacuum.after()
    return true
  }
}
