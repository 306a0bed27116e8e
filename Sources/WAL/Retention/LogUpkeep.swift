import Base
import Logging

/// The work of the writer's thread between commits so that the log keeps its size: looks at its volume, trims
/// what is old, and gives free pages back.
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
  private(set) var disk: DiskKeeper
  /// On the log's own time: trimming is not tried before, because the file is damaged.
  private var heldUntil: Int64 = 0

  private static let holdAfterDamage: Int64 = 600_000_000

  init(
    _ connection: SQLiteConnection, path: String, settings: Settings, options: TickLog.Options,
    logger: Logger
  ) throws(SQLiteError) {
    self.settings = settings
    self.connection = connection
    self.options = options
    self.logger = logger
    rule = RetentionRule(retention: settings.retention)
    trimmer = Trimmer(connection, step: options.trimStep)
    vacuum = options.vacuum
    ages = try AgeRecord(connection, now: options.uptime(), wall: options.wallClock())
    disk = DiskKeeper(path: path, limits: settings.disk, volume: options.volume, logger: logger)
  }

  /// Does one piece: a transaction of a few milliseconds.
  ///
  /// - Returns: whether there may be more to do.
  mutating func step(head: Offset) throws(SQLiteError) -> Bool {
    let now = options.uptime()
    do throws(SQLiteError) {
      let free = try look()
      guard ages.time(at: now) >= heldUntil else { return false }
      if try trim(head: head, now: now) { return true }
      return try returnPages(free: free)
    } catch {
      if connection.isInTransaction { try connection.execute("ROLLBACK") }
      if error.isBusy { return false }
      guard error.isCorruption else { throw error }
      heldUntil = ages.time(at: now).addingSaturated(Self.holdAfterDamage)
      logger.error(
        "the log's file is damaged where old ticks are to be trimmed: it grows until that is mended",
        metadata: ["error": "\(error)"])
      return false
    }
  }

  /// Looks at the volume, which appends may fill between two pieces of upkeep.
  ///
  /// - Returns: free pages in the log's file.
  @discardableResult
  mutating func look() throws(SQLiteError) -> Int {
    let free = Int(try connection.int("PRAGMA freelist_count") ?? 0)
    disk.look(free: free * SQLiteConnection.pageBytes, at: MonotonicClock.now())
    return free
  }

  mutating func writeFailed() { disk.writeFailed(at: MonotonicClock.now()) }
  mutating func writeSucceeded() { disk.writeSucceeded(at: MonotonicClock.now()) }

  private mutating func trim(head: Offset, now: Uptime) throws(SQLiteError) -> Bool {
    let hasRows = try trimmer.hasRows()
    let boundary = hasRows ? nil : try trimmer.boundary(through: try lastTrimmable(head: head, now: now))
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
    if let boundary { try trimmer.move(to: boundary, head: head) }
    // Rows are left before the start where a plan held them until now: the plan goes with them.
    if hasRows { try connection.deleteShippedPlans(through: try connection.trimmed()) }
    try trimmer.deleteRows { MonotonicClock.now() - start }
    KillPoint.trim.before()
    try connection.run("COMMIT")
    KillPoint.trim.after()
    return hasRows || boundary != nil
  }

  private func lastTrimmable(head: Offset, now: Uptime) throws(SQLiteError) -> Offset {
    let next = try connection.lowestNext()
    let oldEnough = ages.offsets.highest(
      agedAtLeast: rule.retention.microseconds, at: ages.time(at: now))
    return RetentionRule.last(
      head: head, next: next, oldEnough: Offset(rawValue: oldEnough ?? 0),
      isSpaceShort: disk.isShort)
  }

  private mutating func returnPages(free: Int) throws(SQLiteError) -> Bool {
    let total = Int(try connection.int("PRAGMA page_count") ?? 0)
    let pages = vacuum.pages(free: free, total: total, isSpaceShort: disk.isShort)
    guard pages > 0 else { return false }
    KillPoint.vacuum.before()
    // Through sqlite3_exec, which steps it to its end: each step gives one page back.
    try connection.execute("PRAGMA incremental_vacuum(\(pages))")
    KillPoint.vacuum.after()
    return true
  }
}
