import Base
import WAL

/// The gaps of single streams of a slot, beside those of its connection: streams that the exchange refuses, that it
/// withholds on a new connection, or that the old one had lost.
///
/// Pure; times of `now` are of one monotonic clock, all others are microseconds UTC.
struct StreamGaps: Sendable {
  private struct Entry {
    /// Those still missing.
    var streams: Set<String>
    var startedAt: Int64
    var gaps: OpenGaps
    var detail: String?
    /// The moment in which the exchange granted them; nil as long as it refuses them.
    var granted: (now: Duration, utc: Int64)?
    /// Only a tick of its own shows that a stream is there; else one of any stream of the same request does.
    var isWithheld: Bool
  }

  /// A stream that the new connection has not delivered and the old one had; in time it is known whether it is
  /// withheld.
  struct Doubt: Sendable {
    /// Of its last tick on the old one.
    var since: Int64
    /// The time that it may take to come.
    var patience: Duration
    /// The same if the connection ends meanwhile: then nobody can wait longer for it.
    var expected: Duration = .zero
    /// Nothing was received between the two connections.
    var isAfterLoss = false
  }

  fileprivate struct Waiting {
    var since: Int64
    var until: Duration
    var expectedAt: Duration
    var isAfterLoss: Bool
    /// The time up to which a connection had delivered everything that has ended too early for the stream to be overdue:
    /// nobody knows whether it had been withheld there.
    var unknownUntil: Int64?
  }

  private struct Span: Hashable {
    var start: Int64
    var end: Int64
  }

  /// The time that a stream may take to come on a new connection if the old one has delivered it just now.
  static let patience = Duration.seconds(10)

  /// After this long without a tick of theirs, streams that were granted are quiet and not missing.
  private let quietAfter: Duration
  private var open: [Entry] = []
  private var doubts: [String: Waiting] = [:]

  /// - Parameter quietAfter: `FEED_STALE_SECONDS`.
  init(quietAfter: Duration) { self.quietAfter = quietAfter }

  var isEmpty: Bool { open.isEmpty && doubts.isEmpty }

  /// From there ticks may be missing of which no gap speaks yet: a gap must begin there if the process is killed now.
  var watermark: Int64? {
    if doubts.isEmpty { return nil }
    let missing = missing
    return doubts.lazy.filter { !missing.contains($0.key) }.map(\.value.since).min()
  }

  /// All streams that an open gap names.
  private var missing: Set<String> { open.reduce(into: Set<String>()) { $0.formUnion($1.streams) } }

  /// The moment in which ``expire(at:)`` is to be called.
  var deadline: Duration? {
    // Of one that is withheld only a tick says anything.
    let quiet = open.filter { !$0.isWithheld }.compactMap(\.granted).map { $0.now + quietAfter }
    return (quiet + doubts.values.map(\.until)).min()
  }

  // MARK: Events

  /// The exchange does not subscribe these streams, on the connection in use.
  ///
  /// - Parameters:
  ///   - time: since when they may be missing.
  ///   - detail: the exchange's words, as JSON.
  mutating func refused(_ streams: [String], since time: Int64, detail: String?) -> [GapChange] {
    for index in open.indices where !open[index].streams.isDisjoint(with: streams) {
      open[index].granted = nil
    }
    let new = Set(streams).subtracting(missing)
    // Of one in doubt nobody knows whether it was there until now.
    let starts = Dictionary(grouping: new) { min(doubts[$0]?.since ?? time, time) }
    for stream in streams { doubts[stream] = nil }
    return starts.sorted { $0.key < $1.key }.map { start, streams in
      begin(Set(streams), at: start, detail: detail, isWithheld: false)
    }
  }

  /// The exchange has subscribed them, on the connection in use.
  mutating func granted(_ streams: some Sequence<String>, at time: Int64, now: Duration) {
    let streams = Set(streams)
    var split: [Entry] = []
    for index in open.indices where open[index].granted == nil {
      let some = open[index].streams.intersection(streams)
      guard !some.isEmpty else { continue }
      var entry = open[index]
      entry.streams = some
      entry.granted = (now, time)
      open[index].streams.subtract(some)
      split.append(entry)
    }
    // One gap may have several entries now; it is written anew when the first of them ends.
    open.removeAll { $0.streams.isEmpty }
    open += split
  }

  /// The streams were delivered by the connection that was in use, and by the one that is in use now not yet.
  mutating func doubt(_ streams: [String: Doubt], at now: Duration) {
    for (stream, doubt) in streams {
      // Its own tick is waited for already.
      if open.contains(where: { $0.isWithheld && $0.streams.contains(stream) }) { continue }
      let until = now + doubt.patience
      if let known = doubts[stream], known.until <= until {
        // It may have begun on a connection that was not lost then, and has been since.
        doubts[stream]?.isAfterLoss = known.isAfterLoss || doubt.isAfterLoss
        continue
      }
      doubts[stream] = Waiting(
        since: min(doubts[stream]?.since ?? doubt.since, doubt.since), until: until,
        expectedAt: now + doubt.expected,
        isAfterLoss: doubt.isAfterLoss || doubts[stream]?.isAfterLoss == true,
        unknownUntil: doubts[stream]?.unknownUntil)
    }
  }

  /// Ticks of these streams arrived on the connection in use.
  mutating func delivered(_ streams: Set<String>, at time: Int64) -> [GapChange] {
    let unknown = doubts.isEmpty ? [] : unknown(streams)
    var ended: [OpenGaps] = []
    for index in open.indices where !open[index].streams.isDisjoint(with: streams) {
      ended.append(open[index].gaps)
      if open[index].granted != nil, !open[index].isWithheld {
        // Up to now the gap speaks of them, also of those that are in doubt.
        for stream in open[index].streams { doubts[stream]?.since.raise(to: time) }
        open[index].streams = []
      } else {
        open[index].streams.subtract(streams)
      }
    }
    return unknown + end(ended, at: time)
  }

  /// The connection in use is lost. What it should have delivered by now it has not had.
  ///
  /// - Parameter complete: up to then it had delivered everything; microseconds UTC, nil if it had delivered nothing.
  mutating func connectionLost(completeUntil complete: Int64?, at now: Duration) -> [GapChange] {
    let changes = withheld { $0.expectedAt <= now }
    for stream in doubts.keys { doubts[stream]?.note(unknownUntil: complete) }
    return changes
  }

  /// Another connection takes over from the one in use.
  ///
  /// - Parameter patience: a time more for a connection that was well until then: it may only be read late.
  mutating func connectionReplaced(
    completeUntil complete: Int64?, at now: Duration, patience: Duration = .zero
  ) -> [GapChange] {
    let changes = withheld { $0.expectedAt + patience <= now }
    for (stream, doubt) in doubts where doubt.isAfterLoss { doubts[stream]?.note(unknownUntil: complete) }
    return changes
  }

  /// The process is about to end: what should have come by now is missing.
  mutating func runEnds(at now: Duration) -> [GapChange] { withheld { $0.expectedAt <= now } }

  /// No connection is left. Of what was still in doubt nobody will ever know whether it was there.
  ///
  /// - Parameter time: there begins the gap of all streams that the end leaves; microseconds UTC.
  mutating func runEnded(leavingGapFrom time: Int64) -> [GapChange] {
    for stream in doubts.keys { doubts[stream]?.note(unknownUntil: time) }
    return unknown(Set(doubts.keys))
  }

  /// Does what is due: doubts become gaps, and streams that were granted and stay quiet were there since then.
  ///
  /// - Parameter isDelivering: whether the connection in use has delivered in the meantime.
  mutating func expire(at now: Duration, isDelivering: Bool) -> [GapChange] {
    let changes = withheld { $0.until <= now }
    var quiet: [(gaps: OpenGaps, time: Int64)] = []
    for index in open.indices {
      guard !open[index].isWithheld, let granted = open[index].granted, now >= granted.now + quietAfter
      else { continue }
      if isDelivering {
        open[index].streams = []
        quiet.append((open[index].gaps, granted.utc))
      } else {
        open[index].granted?.now = now
      }
    }
    // Entries of one gap end together, with the last of them.
    let ends = Dictionary(grouping: quiet) { ObjectIdentifier($0.gaps) }.values.map { same in
      (gaps: same[0].gaps, time: same.map(\.time).max() ?? 0)
    }
    return changes
      + ends.sorted { $0.time < $1.time }.flatMap { end([$0.gaps], at: $0.time) }
  }

  /// Only these streams are wanted from now on.
  mutating func setStreams(_ streams: [String], at time: Int64) -> [GapChange] {
    let wanted = Set(streams)
    doubts = doubts.filter { wanted.contains($0.key) }
    var ended: [OpenGaps] = []
    for index in open.indices where !open[index].streams.isSubset(of: wanted) {
      open[index].streams.formIntersection(wanted)
      if open[index].streams.isEmpty { ended.append(open[index].gaps) }
    }
    return end(ended, at: time)
  }

  /// Takes over a gap that an earlier run left open, as far as it is about these streams.
  ///
  /// - Parameter isShared: other slots carry streams of it, too, and one of them ends it: for these a gap of their own
  ///   goes on.
  mutating func adopt(_ gap: Gap, streams: [String], isShared: Bool) -> [GapChange] {
    let streams = Set(gap.streams).intersection(streams)
    let isWithheld = gap.streams.count == 1 && gap.detail == nil
    if isShared { return [begin(streams, at: gap.startedAt, detail: gap.detail, isWithheld: isWithheld)] }
    open.append(
      Entry(
        streams: streams, startedAt: gap.startedAt, gaps: OpenGaps([gap.id]), detail: gap.detail,
        granted: nil, isWithheld: isWithheld))
    return []
  }

  /// All that is open, for who goes on with it: the slot is given up.
  mutating func takeAll() -> [(gaps: OpenGaps, streams: [String])] {
    defer { self = StreamGaps(quietAfter: quietAfter) }
    var seen: Set<ObjectIdentifier> = []
    return open.filter { seen.insert(ObjectIdentifier($0.gaps)).inserted }
      .map { ($0.gaps, streams(of: $0.gaps)) }
  }

  // MARK: Gaps

  /// The end of doubts about these streams, which are there now.
  private mutating func unknown(_ streams: Set<String>) -> [GapChange] {
    var spans: [Span: [String]] = [:]
    for stream in streams {
      guard let doubt = doubts.removeValue(forKey: stream), let end = doubt.unknownUntil, end > doubt.since
      else { continue }
      spans[Span(start: doubt.since, end: end), default: []].append(stream)
    }
    return spans.sorted { $0.key.start < $1.key.start }.flatMap { span, streams in
      let gaps = OpenGaps()
      return [
        GapChange.open(
          startedAt: span.start, cause: .unsubscribed, streams: streams.sorted(), detail: nil, gaps),
        .close(endedAt: span.end, gaps),
      ]
    }
  }

  /// The end of doubts: these streams are missing.
  private mutating func withheld(_ isOverdue: (Waiting) -> Bool) -> [GapChange] {
    var changes: [GapChange] = []
    for (stream, doubt) in doubts.sorted(by: { $0.key < $1.key }) where isOverdue(doubt) {
      doubts[stream] = nil
      if let index = open.firstIndex(where: { $0.streams.contains(stream) }) {
        // A gap speaks of it, which may end with the ticks of others: this one's part does not.
        var own = open[index]
        own.streams = [stream]
        own.isWithheld = true
        open[index].streams.remove(stream)
        open.append(own)
      } else {
        changes.append(begin([stream], at: doubt.since, detail: nil, isWithheld: true))
      }
    }
    open.removeAll { $0.streams.isEmpty }
    return changes
  }

  private func streams(of gaps: OpenGaps) -> [String] {
    open.filter { $0.gaps === gaps }.reduce(into: Set<String>()) { $0.formUnion($1.streams) }.sorted()
  }

  private mutating func begin(
    _ streams: Set<String>, at time: Int64, detail: String?, isWithheld: Bool
  ) -> GapChange {
    let gaps = OpenGaps()
    open.append(
      Entry(
        streams: streams, startedAt: time, gaps: gaps, detail: detail, granted: nil, isWithheld: isWithheld))
    return .open(
      startedAt: time, cause: .unsubscribed, streams: streams.sorted(), detail: detail, gaps)
  }

  /// Ends gaps; what is still missing of their streams goes on in a gap of its own.
  private mutating func end(_ ended: [OpenGaps], at time: Int64) -> [GapChange] {
    var changes: [GapChange] = []
    var seen: Set<ObjectIdentifier> = []
    for gaps in ended where seen.insert(ObjectIdentifier(gaps)).inserted {
      changes.append(.close(endedAt: time, gaps))
      let rest = streams(of: gaps)
      if rest.isEmpty { continue }
      let next = OpenGaps()
      var (startedAt, detail) = (time, String?.none)
      for index in open.indices where open[index].gaps === gaps {
        startedAt = max(time, open[index].startedAt)
        detail = open[index].detail
        open[index].gaps = next
        open[index].startedAt = startedAt
      }
      changes.append(
        .open(startedAt: startedAt, cause: .unsubscribed, streams: rest, detail: detail, next))
    }
    open.removeAll { $0.streams.isEmpty }
    return changes
  }
}

extension StreamGaps.Waiting {
  fileprivate mutating func note(unknownUntil time: Int64?) {
    if let time { unknownUntil = max(unknownUntil ?? .min, time) }
  }
}

extension Int64 {
  fileprivate mutating func raise(to other: Int64) { self = Swift.max(self, other) }
}
