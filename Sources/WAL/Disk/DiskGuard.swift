/// The decision what to do as the log's volume fills up, and when it has room again. A pure value.
///
/// Levels are judged by the space that appends can have: what is available on the volume and the free pages in
/// the log's file, less the ballast while that has yet to be made. So releasing the ballast changes no level. A pause
/// ends when there has been room for a while, see ``ResumeRule``.
struct DiskGuard {
  enum Level: Int, Comparable, CaseIterable {
    case normal
    /// Ticks that are shipped are trimmed whatever their age.
    case low
    /// Nothing is appended; shipping goes on.
    case stop
    /// A write found no room.
    case full

    static func < (left: Level, right: Level) -> Bool { left.rawValue < right.rawValue }
  }

  struct Reading: Equatable {
    var available: Int
    /// Bytes of free pages in the log's file.
    var free: Int
    var volume: Int
    /// Whether the ballast is there, as large as it should be.
    var hasBallast: Bool
  }

  enum Action: Equatable {
    case makeBallast(bytes: Int)
    case releaseBallast
    /// The level is another one now, or it is time to say it again.
    case report(Level)
  }

  private let limits: DiskLimits
  private(set) var level = Level.normal
  private(set) var last: Reading?
  private var isFull = false
  private var band = Level.normal
  private var resuming = ResumeRule()
  private var reportAt: Duration?
  /// The level that was said last.
  private var said = Level.normal
  private var lowSaidAt: Duration?
  private var lowSince: Duration?
  /// Since when appends are not paused.
  private var openSince: Duration?

  init(limits: DiskLimits) {
    self.limits = limits
  }

  /// Appending is refused: the feed must not be read.
  var mayAppend: Bool { level < .stop }
  /// Everything that can be spared is to go.
  var isShort: Bool { level > .normal }

  /// Whether ticks that found no room may be tried again: what the ballast gave is not for them.
  var mayRetry: Bool {
    guard let last else { return true }
    return space(last) >= leastRoom(last.volume)
  }

  // MARK: Events

  mutating func handle(_ reading: Reading, at now: Duration) -> [Action] {
    last = reading
    band = band(of: reading)
    var actions = settle(at: now)
    let ballast = limits.ballast(of: reading.volume)
    if level < .stop, !reading.hasBallast, reading.available >= ballast + leastRoom(reading.volume) {
      actions.append(.makeBallast(bytes: ballast))
    }
    return actions
  }

  /// A write of the log, a commit or a checkpoint, found no room.
  ///
  /// - Parameter keepsBallast: something else has made room for the next try.
  mutating func writeFailed(keepsBallast: Bool = false, at now: Duration) -> [Action] {
    isFull = true
    var actions = settle(at: now)
    if !keepsBallast, last?.hasBallast ?? true {
      last?.hasBallast = false
      actions.append(.releaseBallast)
    }
    return actions
  }

  /// Everything that waited to be written has been.
  mutating func writeSucceeded(at now: Duration) -> [Action] {
    guard isFull, mayRetry else { return [] }
    isFull = false
    return settle(at: now)
  }

  // MARK: Levels

  private mutating func settle(at now: Duration) -> [Action] {
    resuming.note(hasRoom: !isFull && band < .stop, at: now)
    level = isFull ? .full : resuming.isPaused ? .stop : band
    lowSince = level == .low ? lowSince ?? now : nil
    openSince = level < .stop ? openSince ?? now : nil
    let isReminderDue = now >= reportAt ?? .zero
    if level == said, level == .normal || !isReminderDue { return [] }
    // Both are a pause: what has been said is true.
    if said == .full, level == .stop, !isReminderDue { return [] }
    if said >= .stop, let openSince, now < openSince + Self.lasting { return [] }
    if said == .normal, let lowSince, let lowSaidAt, now < min(lowSince + Self.calm, lowSaidAt + Self.hour) {
      return []
    }
    said = level
    if level == .low { lowSaidAt = now }
    reportAt = now + (level == .low ? Self.hour : .seconds(600))
    return [.report(level)]
  }

  private static let hour = Duration.seconds(3_600)
  /// The time that a shortage must last to be said after the first time: if shipped ticks are trimmed as fast as
  /// ticks come, the lower limit is passed again and again.
  private static let calm = Duration.seconds(60)
  /// The time that the end of a pause must last to be said.
  private static let lasting = Duration.seconds(5)

  /// A limit is left again only with some room to spare, so that a level lasts.
  private func band(of reading: Reading) -> Level {
    let stop = limits.stop.bytes(of: reading.volume)
    let low = max(stop, limits.low.bytes(of: reading.volume))
    let space = space(reading)
    if space < (band == .stop ? stop + stop / 4 : stop) { return .stop }
    if space < (band >= .low ? low + low / 10 : low) { return .low }
    return .normal
  }

  private func space(_ reading: Reading) -> Int {
    reading.available + reading.free - (reading.hasBallast ? 0 : limits.ballast(of: reading.volume))
  }

  /// Room for a few group commits.
  private func leastRoom(_ volume: Int) -> Int {
    min(4 << 20, max(limits.stop.bytes(of: volume) / 2, volume / 100))
  }
}
