/// The rule which ticks may be trimmed.
struct RetentionRule: Equatable {
  /// The age that a tick must have.
  let retention: Duration

  /// The age that gaps reach after their end.
  static let gaps = Duration.seconds(90 * 86_400)

  /// The last tick that may be trimmed, with everything before it.
  ///
  /// - Parameters:
  ///   - next: what the slowest of the enabled consumers reads next; `nil` if none is enabled.
  ///   - oldEnough: the last tick that is older than `retention`.
  ///   - isSpaceShort: trims what is shipped whatever its age. Where nobody ships, the log is all there is.
  static func last(head: Offset, next: Offset?, oldEnough: Offset, isSpaceShort: Bool) -> Offset {
    guard let next else { return min(head, oldEnough) }
    let shipped = min(head, next.previous)
    return isSpaceShort ? shipped : min(shipped, oldEnough)
  }

  /// The time between two notes of how old the ticks are: so short that one is kept by 1/240 too long at most.
  var markInterval: Duration { max(.milliseconds(500), retention / 240) }
}

/// The offset at which trimming may stop: a batch goes whole or not at all.
enum TrimBoundary {
  /// The last offset to trim now, at most `step` ticks after `trimmed` unless one batch is longer.
  ///
  /// - Parameter straddling: the range of a shipped batch that an offset would cut in two: that begins at the
  ///   offset or before, and ends after it.
  /// - Returns: `nil` if no batch may go whole yet.
  static func next<Failure: Error>(
    after trimmed: Offset, through last: Offset, step: Int,
    straddling: (Offset) throws(Failure) -> OffsetRange?
  ) throws(Failure) -> Offset? {
    guard trimmed < last else { return nil }
    var boundary = min(last, trimmed.advanced(by: step))
    while boundary > trimmed, let batch = try straddling(boundary) { boundary = batch.lowerBound.previous }
    if boundary > trimmed { return boundary }
    boundary = trimmed.next
    while boundary <= last, let batch = try straddling(boundary) { boundary = batch.upperBound }
    return boundary <= last ? boundary : nil
  }
}
