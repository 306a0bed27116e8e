import WAL

@testable import Ingest

/// The gaps that a slot has written, and what they cover.
extension SlotWorld {
  func note(_ change: GapChange) {
    switch change {
    case .open(let startedAt, let cause, let streams, _, let gaps):
      kept.append(gaps)
      check(startedAt <= wall, "a gap from nowhere: \(change)")
      let row = Row(startedAt: startedAt, endedAt: nil, cause: cause, streams: Set(streams))
      rows[ObjectIdentifier(gaps)] = row
      tell("gap \(row)")
    case .add(let startedAt, let endedAt, let cause, let streams, let detail, let gaps):
      kept.append(gaps)
      let row = Row(startedAt: startedAt, endedAt: endedAt, cause: cause, streams: Set(streams))
      rows[ObjectIdentifier(gaps)] = row
      note(detail, of: gaps)
      tell("gap \(row)")
    case .extend(let endedAt, let detail, let gaps):
      rows[ObjectIdentifier(gaps)]?.endedAt = endedAt
      note(detail, of: gaps)
    case .close(let endedAt, let gaps):
      // As the log does it.
      let row = rows[ObjectIdentifier(gaps)]
      check(row != nil, "the end of an unknown gap")
      rows[ObjectIdentifier(gaps)]?.endedAt = max(endedAt, row?.startedAt ?? endedAt)
      tell("gap ends \(rows[ObjectIdentifier(gaps)].map { "\($0)" } ?? "")")
    case .watermark(_, let time): watermark = time
    case .completeness: break
    }
  }

  private func note(_ detail: String?, of gaps: OpenGaps) {
    let numbers = (detail ?? "").split { !$0.isNumber }.compactMap { Int($0) }
    guard let after = numbers.first, numbers.count > 2, let skips = numbers.last else {
      return check(false, "no ids in \(detail ?? "nothing")")
    }
    let ids = after - 99..<numbers[1] - 100
    rows[ObjectIdentifier(gaps)]?.ids = ids
    rows[ObjectIdentifier(gaps)]?.isOneSkip = skips == 1
  }

  private func isCovered(_ stream: Stream, _ number: Int) -> Bool {
    let made = stream.made[number]
    var from = Self.utc(made + Self.slack)
    var to = Self.utc(made - Self.slack)
    if stream.skipped.contains(number) {
      // Between the same two ticks may be a gap of another cause: then nobody knows what lies where.
      let before = received(before: number, of: stream)
      let after = (number..<stream.made.count).first { stream.receivedAt[$0] != nil }
        .flatMap { stream.receivedAt[$0] }
      from = max(from, after ?? .max)
      to = min(to, before ?? .min)
    }
    return rows.values.contains { row in
      guard row.streams.contains(stream.name) else { return false }
      // They lie where they would have been received.
      if let ids = row.ids { return ids.contains(number) }
      return row.startedAt <= from && (row.endedAt ?? .max) >= to
    }
  }

  private func received(before number: Int, of stream: Stream) -> Int64? {
    (0..<number).last { stream.receivedAt[$0] != nil }.flatMap { stream.receivedAt[$0] }
  }

  /// If the process were killed now, the next start would open a gap of all streams from the watermark on.
  func checkAKillLosesNothing() {
    for stream in streams {
      for number in stream.open where Self.utc(stream.made[number] + Self.slack) < watermark {
        if stream.exempt.contains(number) || isSkippedNow(stream.name, number) { continue }
        // What is left out is missing from when the one before it was received, however late that was.
        if stream.skipped.contains(number), received(before: number, of: stream) ?? .min >= watermark {
          continue
        }
        check(
          isCovered(stream, number),
          "after a kill \(stream.name) \(number) of \(stream.made[number]) would be missing without a word")
      }
    }
  }

  private func isSkippedNow(_ name: String, _ number: Int) -> Bool {
    peers.values.contains { peer in
      peer.skipped.contains { streams[$0].name == name && $1.contains(number) }
    }
  }

  // MARK: The end

  /// The gap that the feed leaves when it has ended. What lies in it needs no gap for its ids.
  ///
  /// - Parameter known: the gaps that there were before the stop.
  func noteStop(_ known: Set<ObjectIdentifier>) {
    let end = decisions.lastDataAt
    for (id, row) in rows where row.ids != nil && !known.contains(id) {
      let isOfInUse = (row.endedAt ?? .max) <= max(end, decisions.inUseReceivedAt)
      check(isOfInUse, "\(row) lies in the gap of the stop, from \(Double(end) / 1e6) on")
    }
    let gaps = OpenGaps()
    kept.append(gaps)
    rows[ObjectIdentifier(gaps)] = Row(
      startedAt: end, endedAt: nil, cause: .shutdown, streams: Set(streams.map(\.name)))
  }

  /// Each tick is in the log, or a gap that names its stream covers it.
  func checkNothingIsMissing() {
    for stream in streams {
      for number in stream.open.sorted() {
        // Those of the last moment are still on their way.
        guard stream.made[number] < now - .seconds(1), !stream.exempt.contains(number) else { continue }
        check(
          isCovered(stream, number),
          "\(stream.name) \(number) of \(stream.made[number]) is missing without a word; "
            + "\(rows.values.filter { $0.streams.contains(stream.name) }.sorted { $0.startedAt < $1.startedAt }.suffix(5))"
        )
      }
    }
  }

  /// Ids that a gap calls missing were delivered by nobody.
  func checkNoSkipIsFalse() {
    for row in rows.values where row.isOneSkip {
      let stream = streams.first { row.streams.contains($0.name) }
      let there = row.ids?.filter { stream?.logged[$0] != nil } ?? []
      check(there.isEmpty, "\(row) calls \(there) missing")
    }
  }

  func checkIsLive() {
    let open = rows.values.filter { $0.endedAt == nil }
    check(open.isEmpty, "gaps stay open: \(open)")
    check(decisions.grantedStreams.count == streams.count, "granted are \(decisions.grantedStreams)")
    check(decisions.refusedStreams.isEmpty, "refused are \(decisions.refusedStreams)")
    for stream in streams.indices {
      let last = streams[stream].made.lastIndex { $0 < now - .seconds(3) } ?? 0
      check(streams[stream].logged[last] == 1, "\(streams[stream].name) is deaf")
    }
  }

  /// Seconds: of each stream in gaps, those of a frozen process left out, and really missing: from the tick before a loss to
  /// the one after it.
  func tightness() -> (gaps: Double, missing: Double) {
    var sums = (gaps: 0.0, missing: 0.0)
    for stream in streams {
      let own = rows.values.filter { $0.streams.contains(stream.name) && $0.cause != .frozen }
      let frozen = rows.values.filter { $0.streams.contains(stream.name) && $0.cause == .frozen }
      sums.gaps += union(own.map { ($0.startedAt, $0.endedAt ?? wall) })
      let lost = stream.open.filter { number in
        let made = Self.utc(stream.made[number])
        return !frozen.contains { $0.startedAt <= made && ($0.endedAt ?? .max) >= made }
      }
      sums.missing += union(
        lost.map { number in
          let after = min(number + 1, stream.made.count - 1)
          return (Self.utc(stream.made[max(number - 1, 0)]), Self.utc(stream.made[after]))
        })
    }
    return sums
  }

  private func union(_ spans: [(Int64, Int64)]) -> Double {
    var total: Int64 = 0
    var reached = Int64.min
    for (start, end) in spans.sorted(by: { $0.0 < $1.0 }) where end > reached {
      total += end - max(start, reached)
      reached = end
    }
    return Double(total) / 1e6
  }
}
