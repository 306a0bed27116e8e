import Base
import Logging

/// Carries out what ``DiskGuard`` decides: reads the volume, makes and releases the ballast, and says so.
///
/// Trouble with the ballast is said and waited out. It is no trouble of the log.
struct DiskKeeper {
  private(set) var state: DiskGuard
  private let limits: DiskLimits
  private let ballast: Ballast
  private let path: String
  private let volume: @Sendable (String) -> Volume?
  private let clock: @Sendable () -> Duration
  private let logger: Logger
  private var hasBallastFailed = false
  /// The last write that found no room.
  private var failure: SQLiteError?

  /// - Parameters:
  ///   - volume: says what the file system of a path has.
  ///   - clock: monotonic.
  init(
    path: String, limits: DiskLimits, volume: @escaping @Sendable (String) -> Volume?,
    clock: @escaping @Sendable () -> Duration, logger: Logger
  ) {
    self.path = path
    self.limits = limits
    self.volume = volume
    self.clock = clock
    self.logger = logger
    state = DiskGuard(limits: limits)
    ballast = Ballast(logPath: path)
  }

  /// Looks at the volume and at the free pages in the log's file.
  ///
  /// - Returns: the number of those.
  @discardableResult
  mutating func look(_ connection: SQLiteConnection) throws(SQLiteError) -> Int {
    let free = Int(try connection.int("PRAGMA freelist_count") ?? 0)
    guard let volume = volume(path) else { return free }
    let reading = DiskGuard.Reading(
      available: volume.available, free: free * SQLiteConnection.pageBytes, volume: volume.size,
      hasBallast: ballast.isWhole(bytes: limits.ballast(of: volume.size)))
    perform(state.handle(reading, at: clock()))
    return free
  }

  /// A write of the log found no room: gives the ballast up, so that the next try may succeed.
  ///
  /// - Parameter keepsBallast: something else has made room for the next try.
  mutating func writeFailed(_ error: SQLiteError, keepsBallast: Bool = false) {
    failure = error
    perform(state.writeFailed(keepsBallast: keepsBallast, at: clock()))
  }

  /// Everything that waited to be written has been.
  mutating func writeSucceeded() { perform(state.writeSucceeded(at: clock())) }

  private mutating func perform(_ actions: [DiskGuard.Action]) {
    for action in actions {
      switch action {
      case .makeBallast(let bytes):
        change { (ballast) throws(Ballast.Failure) in try ballast.make(bytes: bytes) }
      case .releaseBallast:
        KillPoint.ballast.before()
        change { (ballast) throws(Ballast.Failure) in try ballast.release() }
        KillPoint.ballast.after()
      case .report(let level): report(level)
      }
    }
  }

  private mutating func change(_ body: (Ballast) throws(Ballast.Failure) -> Void) {
    do throws(Ballast.Failure) {
      try body(ballast)
      hasBallastFailed = false
    } catch {
      guard !hasBallastFailed else { return }
      hasBallastFailed = true
      logger.warning(
        "the ballast beside the log cannot be changed; it is tried again", metadata: ["error": "\(error)"])
    }
  }

  private func report(_ level: DiskGuard.Level) {
    var metadata: Logger.Metadata = ["path": "\(path)"]
    if let last = state.last {
      metadata["available"] = "\(Figures.bytes(last.available))"
      metadata["free_in_log"] = "\(Figures.bytes(last.free))"
      metadata["volume"] = "\(Figures.bytes(last.volume))"
    }
    switch level {
    case .normal: logger.notice("the volume of the log has room again", metadata: metadata)
    case .low:
      logger.warning(
        "the volume of the log is running full: what is shipped is trimmed whatever its age; make room",
        metadata: metadata)
    case .stop:
      logger.error(
        "the volume of the log has too little room: the feed is paused, shipping goes on; make room",
        metadata: metadata)
    case .full:
      if let failure { metadata["error"] = "\(failure)" }
      logger.error(
        failure?.isQuota == true
          ? "the quota on the volume of the log is used up: the feed is paused and the commit is retried; make room or raise it"
          : "the volume of the log is full: the feed is paused and the commit is retried; make room",
        metadata: metadata)
    }
  }
}
