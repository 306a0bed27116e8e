/// The decision when appends that a short volume has paused go on: once there has been room for a while. A pure
/// value.
///
/// A pause that follows soon after the last one doubles that while, so that a volume at its limit does not let the
/// feed in and out many times a second.
struct ResumeRule {
  /// The time for which there must have been room after a first pause, and at most.
  static let shortest = Duration.seconds(1)
  static let longest = Duration.seconds(60)
  /// A pause within this time after the last one follows soon.
  static let calm = Duration.seconds(60)

  private(set) var isPaused = false
  private var hasRoomSince: Duration?
  private var resumedAt: Duration?
  private var patience = Self.shortest

  /// - Parameter hasRoom: by the limits, at this moment.
  mutating func note(hasRoom: Bool, at now: Duration) {
    guard hasRoom else {
      hasRoomSince = nil
      if !isPaused { pause(at: now) }
      return
    }
    guard isPaused else { return }
    let since = hasRoomSince ?? now
    hasRoomSince = since
    guard now >= since + patience else { return }
    isPaused = false
    resumedAt = now
    hasRoomSince = nil
  }

  private mutating func pause(at now: Duration) {
    isPaused = true
    let isSoon = resumedAt.map { now < $0 + Self.calm } ?? false
    patience = isSoon ? min(patience * 2, Self.longest) : Self.shortest
  }
}
