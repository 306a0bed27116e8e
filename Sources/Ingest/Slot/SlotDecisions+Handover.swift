import WAL

/// From one connection to the next: which streams the new one has not shown yet, and which the old one had lost.
extension SlotDecisions {
  /// Tells the session how the standby stands.
  mutating func compare(at moment: Moment, _ attempts: inout AttemptLimiter) {
    guard let pair, let standby = connections[pair.standby], standby.isOpen, overlap.looks > 0 else { return }
    var standing = overlap.standing
    if let primary = connections[pair.primary], !standby.refused.isEmpty {
      let had = Set(primary.granted)
      standing.lacking += standby.refused.keys.count { had.contains($0) }
    }
    handle(.compared(standing), at: moment, &attempts)
  }

  /// Ends a connection's part in all of this.
  ///
  /// - Returns: what was still held because of it.
  mutating func end(_ id: ConnectionID, at now: Duration) -> Intake {
    let wasInUse = id == current
    guard let connection = connections.removeValue(forKey: id) else { return Intake() }
    if id == pair?.primary {
      pair?.lost = (connection, overlap.unproven(at: now))
    } else if id == pair?.standby {
      pair = nil
    } else if connection.part == .inUse {
      past.absorb(connection.track)
    }
    if wasInUse {
      submit(
        gaps: streamGaps.connectionLost(
          completeUntil: connection.completeUntil, at: connection.heardUntil(now)))
    }
    return overlap.ended(id, at: now)
  }

  /// The standby becomes the connection in use. What it may lack, or the old one may have missed, becomes gaps.
  ///
  /// - Parameter gapUntil: the end of a gap of all streams that this ends, microseconds UTC.
  mutating func takeOver(gapUntil: Int64?, at moment: Moment) -> [GapChange] {
    guard let pair else { return [] }
    let time = reading(at: moment)
    let old = pair.lost?.connection ?? connections[pair.primary]
    if let old { past.absorb(old.track) }
    let unproven = pair.lost?.unproven ?? overlap.unproven(at: time)
    let known = max(old?.completeUntil ?? min(session.lastDataAt, moment.utc), gapUntil ?? .min)
    var changes = streamGaps.connectionReplaced(
      completeUntil: old?.completeUntil, at: old?.heardUntil(time) ?? time,
      patience: gapUntil == nil ? .seconds(4) : .zero)
    self.pair = nil
    connections[pair.primary]?.part = .replaced
    connections[pair.standby]?.part = .inUse
    doubt(
      unproven.lacking, on: pair.standby, since: known, at: connections[pair.standby]?.openedAt ?? time,
      isAfterLoss: gapUntil != nil)
    let new = connections[pair.standby]
    // What the new one was refused at first is there only since it was granted.
    let late = (new?.grantedLate ?? [:]).filter { $0.value > known }
    for (until, streams) in Dictionary(grouping: late, by: \.value) {
      changes += lost(streams.map(\.key).sorted(), from: known, until: until)
    }
    for (stream, until) in unproven.missedByPrimary.sorted(by: { $0.key < $1.key }) {
      let since = min(past.lastReceived(stream) ?? session.lastDataAt, until)
      changes += lost([stream], from: since, until: until)
    }
    // Those that are new in the list nobody had until now.
    let had = Set(old?.carried ?? [])
    let asked = min(known, new?.begunAt ?? known)
    for (detail, streams) in Dictionary(grouping: new?.refused ?? [:], by: \.value) {
      let parts = Dictionary(grouping: streams.map(\.key)) { had.contains($0) ? known : asked }
      for (start, streams) in parts.sorted(by: { $0.key < $1.key }) {
        changes += streamGaps.refused(streams, since: start, detail: detail)
      }
    }
    streamGaps.granted(new?.granted ?? [], at: moment.utc, now: time)
    return changes
  }

  /// A gap of streams that has ended already.
  private func lost(_ streams: [String], from start: Int64, until end: Int64) -> [GapChange] {
    let gaps = OpenGaps()
    return [
      .open(startedAt: start, cause: .unsubscribed, streams: streams, detail: nil, gaps),
      .close(endedAt: end, gaps),
    ]
  }

  /// A connection is in use that has not shown yet that it has all streams of the one before.
  ///
  /// - Parameters:
  ///   - lacking: those that it lacks already.
  ///   - start: microseconds UTC: up to then the connections before had all, or a gap says what they had not.
  ///   - time: since when the new one should deliver them, on the clock that stands still while sockets are not read.
  ///   - isAfterLoss: nothing was received between the two.
  mutating func doubt(
    _ lacking: [String], on id: ConnectionID, since start: Int64, at time: Duration, isAfterLoss: Bool = true
  ) {
    guard let connection = connections[id] else { return }
    var doubts: [String: StreamGaps.Doubt] = [:]
    for (stream, rhythm) in past.rhythms {
      doubts[stream] = .init(
        since: max(rhythm.lastReceived, start), patience: max(rhythm.silence, StreamGaps.patience),
        expected: max(rhythm.longestPause * 2, .seconds(1)), isAfterLoss: isAfterLoss)
    }
    for stream in lacking {
      doubts[stream] = .init(
        since: past.lastReceived(stream) ?? session.lastDataAt, patience: StreamGaps.patience)
    }
    let granted = Set(connection.granted)
    // Not the names that the ticks of an array have: the array has a rhythm of its own.
    if !granted.isEmpty { doubts = doubts.filter { granted.contains($0.key) } }
    doubts = doubts.filter { connection.track.lastReceived($0.key) == nil }
    streamGaps.doubt(doubts, at: time)
  }
}
