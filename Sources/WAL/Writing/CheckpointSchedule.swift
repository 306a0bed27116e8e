/// The decision when SQLite's WAL is copied into the database file, by its length.
///
/// A passive checkpoint every 16 MiB of WAL. Where readers keep the WAL from starting over, it is tried
/// again every 4 MiB, from 64 MiB on by waiting a moment for them, and said once for each doubling.
struct CheckpointSchedule {
  /// A page and its header.
  static let bytesPerFrame = 4096 + 24
  static let passiveFrames = 4_096
  static let insistFrames = 16_384
  /// The time that an insisting checkpoint waits for a reader, and appends with it.
  static let patienceMilliseconds: Int32 = 50

  private var passive = passiveFrames
  private var nextAt = passiveFrames
  private var warnAt = insistFrames
  private var lastFrames = 0
  private var hasWarned = false
  private var isOver = false

  /// All lengths are shorter on a volume of less than two GiB: the ballast, a hundredth of it, must be enough to copy
  /// all of the WAL into a file that grows by it.
  mutating func fit(volumeBytes: Int) {
    let wanted = max(64, min(Self.passiveFrames, volumeBytes / 128 / Self.bytesPerFrame))
    guard wanted != passive else { return }
    passive = wanted
    nextAt = passive
    warnAt = insist
  }

  private var retry: Int { passive / 4 }
  private var insist: Int { passive * 4 }

  /// - Parameter walFrames: the WAL's length after the last commit.
  mutating func due(walFrames: Int) -> SQLiteConnection.CheckpointMode? {
    if walFrames < lastFrames {
      // It has started over.
      nextAt = passive
      warnAt = insist
      isOver = hasWarned
      hasWarned = false
    }
    lastFrames = walFrames
    guard walFrames >= nextAt else { return nil }
    return walFrames >= insist ? .restart : .passive
  }

  /// - Returns: the result again, if it is time to warn of it.
  mutating func finished(_ result: SQLiteConnection.CheckpointResult) -> SQLiteConnection.CheckpointResult? {
    nextAt = result.walFrames + retry
    guard result.copiedFrames < result.walFrames, result.walFrames >= warnAt else { return nil }
    warnAt = result.walFrames * 2
    hasWarned = true
    return result
  }

  /// Whether the WAL has started over after a warning, since this was asked last.
  mutating func takeOver() -> Bool {
    defer { isOver = false }
    return isOver
  }

  /// The checkpoint did not run: it is tried again when the WAL has grown by as much as after one that did.
  mutating func failed(walFrames: Int) {
    nextAt = walFrames + retry
  }

  /// With all lengths in proportion to another one, for tests.
  init(passiveFrames: Int = Self.passiveFrames) {
    passive = passiveFrames
    nextAt = passive
    warnAt = insist
  }
}
