import WAL

/// The ids of a slot's streams: what its connections deliver is noted, and what is missing becomes gaps.
extension FeedSlot {
  /// Gives ticks and gaps to the log, and remembers the gaps: what lies in one of them needs none for its ids.
  func submit(_ intake: Intake = Intake(), gaps: [GapChange]) {
    namedGaps.note(gaps)
    feed.submit(intake, gaps: gaps)
  }

  /// Notes what a connection that was given up in the same turn has brought with its last read.
  func noteRest(of intake: Intake, from id: FeedSession.ConnectionID) {
    var track = tracks[id] ?? StreamTrack()
    track.note(intake, at: intake.receivedAt, into: &sequences, now: feed.now)
    if sequences.isChanged { settleSequences() }
  }

  /// Writes the gaps of ids that no connection will deliver. To be asked for after gaps of other causes were written.
  func settleSequences() {
    let changes = sequences.settle(at: feed.now) { stream, id in
      links.contains { canDeliver(stream, upTo: id, $0.key, $0.value) }
    } isCovered: { skip in
      namedGaps.cover(skip.stream, from: skip.startedAt, to: skip.endedAt)
    }
    let findings = sequences.takeFindings()
    if !findings.isEmpty { feed.found(findings, of: self) }
    if !changes.isEmpty {
      feed.submit(Intake(), gaps: changes)
      let new = changes.count { if case .add = $0 { true } else { false } }
      feed.counters.update { $0.gaps += new }
    }
    setTimer()
  }

  /// Whether a connection may still deliver ids of a stream.
  private func canDeliver(
    _ stream: String, upTo id: Int64, _ connection: FeedSession.ConnectionID, _ link: Link
  ) -> Bool {
    guard let open = link.connection else { return false }
    if let last = tracks[connection]?.lastID(stream) { return last < id }
    guard open.hasOpened else { return false }
    guard let carried = carried[connection], !carried.isEmpty else { return true }
    return carried.contains(stream) && refused[connection]?[stream] == nil
  }
}
