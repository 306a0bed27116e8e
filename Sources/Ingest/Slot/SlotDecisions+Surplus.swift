import WAL

extension SlotDecisions {
  /// The gap of the events that one message had beyond those that are taken of one, to be written in one commit with
  /// these.
  func gapOfSurplus(_ intake: Intake, from id: ConnectionID) -> [GapChange] {
    guard let surplus = intake.surplus else { return [] }
    let carried = connections[id]?.carried ?? []
    return [surplus.gap(at: intake.receivedAt, streams: carried.isEmpty ? streams : carried)]
  }
}
