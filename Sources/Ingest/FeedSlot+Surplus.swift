import WAL

/// The events that no message may bring: said, counted, and a gap.
extension FeedSlot {
  /// To be written in one commit with what was taken.
  func gapOfSurplus(_ intake: Intake, from id: FeedSession.ConnectionID) -> [GapChange] {
    guard let surplus = intake.surplus else { return [] }
    feed.counters.update { $0.gaps += 1 }
    feed.passedOver(surplus, of: self)
    let carried = carried[id] ?? []
    return [surplus.gap(at: intake.receivedAt, streams: carried.isEmpty ? streams : carried)]
  }
}
