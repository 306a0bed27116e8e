import WAL

/// The ids of a slot's streams: what its connections deliver is noted, and what is missing becomes gaps.
extension SlotDecisions {
  /// The moment in which ``settleSequences(at:)`` is wanted. Until the end of the run a connection may still deliver.
  var sequencesDeadline: Duration? { session.isEnding ? nil : sequences.deadline }

  /// Writes the gaps of ids that no connection will deliver. To be asked for after gaps of other causes were written.
  ///
  /// - Parameter isLast: no connection is left. Until then nothing is decided once the end was asked for.
  mutating func settleSequences(at now: Duration, isLast: Bool = false) {
    if session.isEnding, !isLast { return }
    let (connections, named) = (connections, namedGaps)
    let changes = sequences.settle(at: now) { stream, id, time in
      connections.values.map { $0.prospect(of: stream, upTo: id, before: time, at: now) }.max() ?? .never
    } isCovered: { skip in
      named.cover(skip.stream, from: skip.startedAt, to: skip.endedAt)
    }
    say(sequences.takeFindings())
    submit(gaps: changes)
  }
}
