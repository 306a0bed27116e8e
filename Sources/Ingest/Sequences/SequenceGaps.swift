import Ticks
import WAL

/// The ids of a slot's streams over all of its connections, and the gaps where ids are missing.
///
/// Ids are missing once no connection can deliver them any more: each has ended or is past them, or ten seconds have
/// gone by. One that lags is given more time: it is not past them before its events are as late. Where a gap of another cause speaks of the stream already, they need none of their own.
///
/// Pure. Times of `now` are of one monotonic clock, all others are UTC.
struct SequenceGaps: Sendable {
  /// Something to be said, and to be counted.
  enum Finding: Equatable, Sendable {
    /// Ids of the stream are followed from now on.
    case followed(stream: String)
    case skipped(SequenceSkip)
    /// Its ids have gone back: they start anew.
    case wentBack(stream: String, from: Int64, to: Int64)
    /// It skips so often, or has events without ids, that its ids prove nothing.
    case notProvable(stream: String, isSkipping: Bool)
  }

  /// The prospect that a connection delivers ids that are awaited.
  enum Prospect: Comparable, Sendable {
    /// It has none.
    case never
    /// It should have delivered them by now.
    case soon
    /// It is behind: what it has delivered of any stream was made before.
    case late
  }

  private struct Stream {
    /// The highest id that was delivered, and its event; an id of -1 before any.
    var top = SequenceSkip.Neighbour(id: -1, receivedAt: 0, eventTime: nil)
    var events = 0
    /// The number of `holes` that are its own.
    var holes: Int32 = 0
    var isProvable = true
    /// Not followed any more.
    var isIgnored = false
  }

  /// Ids that are not there, and may still come.
  private struct Hole {
    var stream: Int
    var after: SequenceSkip.Neighbour
    var before: SequenceSkip.Neighbour
    var since: Duration
  }

  /// The gap that a stream's skips go into.
  private struct Gap {
    var gaps: OpenGaps
    var since: Duration
    /// From the first of the ids to the last.
    var skip: SequenceSkip
    var skips: Int
    /// Microseconds UTC. Later ids may have come earlier, on another connection.
    let startedAt: Int64
    var endedAt: Int64
  }

  /// The time that another connection may take to deliver what one has skipped.
  static let patience = Duration.seconds(10)
  /// The same for one that is behind.
  static let mostPatience = EventPace.mostLag
  /// Skips of a stream within this time are one gap.
  static let gapLength = Duration.seconds(60)
  private static let lookPause = Duration.milliseconds(250)
  /// An event so much later with lower ids is of a new count, not a copy of an old one; in ms.
  private static let laterByFar: Int64 = 1_000
  /// Beyond it the oldest ones are taken for missing.
  private static let holeLimit = 1_000

  private var table = StreamTable()
  private var streams: [Stream] = []
  private var holes: [Hole] = []
  private var looksAt: Duration?
  private var gaps: [Int: Gap] = [:]
  private var paces: [Int: SkipPace] = [:]
  private var findings: [Finding] = []

  /// The moment in which ``settle(at:prospect:isCovered:)`` is to be called; that is also due whenever a connection has ended.
  private(set) var deadline: Duration?

  /// True while something waits for ``settle(at:prospect:isCovered:)`` that has not been looked at.
  private(set) var isChanged = false

  /// Microseconds UTC: from there ticks may be missing that no gap speaks of yet.
  var watermark: Int64? {
    holes.isEmpty ? nil : holes.map { min($0.after.receivedAt, $0.before.receivedAt) }.min()
  }

  // MARK: Ids

  /// The stream's number here; nil if there are more streams than can be followed.
  mutating func number(of name: UnsafeRawBufferPointer) -> Int? {
    let number = table.number(of: name)
    if number == streams.count { streams.append(Stream()) }
    return number
  }

  /// A connection has delivered an event. On the path of every tick that has ids.
  ///
  /// - Parameters:
  ///   - receivedAt: microseconds.
  ///   - eventTime: milliseconds.
  ///   - lastOfConnection: the last id that the same connection had delivered of the stream; nil if this is the first.
  mutating func delivered(
    _ ids: IDStep, of number: Int, receivedAt: Int64, eventTime: Int64?, lastOfConnection: Int64?,
    at now: Duration
  ) {
    if streams[number].isIgnored { return }
    streams[number].events &+= 1
    let top = streams[number].top
    let here = SequenceSkip.Neighbour(id: ids.last, receivedAt: receivedAt, eventTime: eventTime)
    if ids.after == top.id {
      streams[number].top = here
      return
    }
    if top.id < 0 {
      if streams[number].events == 1 { find(.followed(stream: table.name(number))) }
      streams[number].top = here
    } else if hasGoneBack(here, behind: top, lastOfConnection) {
      find(.wentBack(stream: table.name(number), from: top.id, to: ids.last))
      for place in holes.indices where holes[place].stream == number {
        holes[place].since = now - Self.mostPatience
      }
      streams[number].top = here
    } else if ids.after > top.id {
      var before = here
      before.id = ids.after + 1
      streams[number].top = here
      add(Hole(stream: number, after: top, before: before, since: now))
    } else {
      if streams[number].holes > 0 { fill(number, ids, here) }
      if ids.last > top.id { streams[number].top = here }
    }
  }

  private func hasGoneBack(
    _ here: SequenceSkip.Neighbour, behind top: SequenceSkip.Neighbour, _ lastOfConnection: Int64?
  ) -> Bool {
    // Where another connection has started anew already, this one follows it.
    if let lastOfConnection, here.id < lastOfConnection, top.id >= lastOfConnection { return true }
    // A connection may have lower ids than another, but not at a later time.
    guard here.id < top.id, let time = here.eventTime, let before = top.eventTime else { return false }
    return time >= before + Self.laterByFar
  }

  /// A stream whose ids are followed has brought an event without any.
  mutating func cameWithoutIDs(_ number: Int) {
    guard streams[number].isProvable else { return }
    streams[number].isProvable = false
    find(.notProvable(stream: table.name(number), isSkipping: false))
  }

  /// These streams were not wanted until now: what they had before has nothing to do with what comes.
  mutating func begin(_ names: [String]) {
    for name in names {
      guard let number = table.existing(name) else { continue }
      streams[number].top.id = -1
    }
  }

  // MARK: Holes

  private mutating func add(_ hole: Hole) {
    holes.append(hole)
    streams[hole.stream].holes += 1
    if holes.count > Self.holeLimit {
      holes[holes.count - 1 - Self.holeLimit].since = hole.since - Self.mostPatience
    }
    isChanged = true
  }

  /// Takes the ids of an event out of the holes.
  private mutating func fill(_ number: Int, _ ids: IDStep, _ here: SequenceSkip.Neighbour) {
    var place = 0
    while place < holes.count {
      let hole = holes[place]
      guard hole.stream == number, ids.after < hole.before.id - 1, ids.last > hole.after.id else {
        place += 1
        continue
      }
      var parts: [Hole] = []
      if ids.after > hole.after.id {
        var part = hole
        part.before = here
        part.before.id = ids.after + 1
        parts.append(part)
      }
      if ids.last < hole.before.id - 1 {
        var part = hole
        part.after = here
        parts.append(part)
      }
      holes.replaceSubrange(place...place, with: parts)
      streams[number].holes += Int32(parts.count) - 1
      place += parts.count
    }
  }

  /// Decides which ids are missing.
  ///
  /// - Parameters:
  ///   - prospect: the best one of all connections to deliver the ids of a stream up to one, of an event made before a
  ///     time; milliseconds UTC, nil if that is not known.
  ///   - isCovered: whether a gap of another cause speaks of the stream between the two events.
  /// - Returns: the gaps, to be written after those of other causes.
  mutating func settle(
    at now: Duration, prospect: (_ stream: String, _ upTo: Int64, _ before: Int64?) -> Prospect,
    isCovered: (SequenceSkip) -> Bool
  ) -> [GapChange] {
    isChanged = false
    var changes: [GapChange] = []
    var open: [Hole] = []
    for hole in holes {
      let name = table.name(hole.stream)
      if isAwaited(hole, prospect(name, hole.before.id - 1, hole.before.eventTime), at: now) {
        open.append(hole)
        continue
      }
      streams[hole.stream].holes -= 1
      let skip = SequenceSkip(stream: name, after: hole.after, before: hole.before)
      if !isCovered(skip), let change = missing(skip, of: hole.stream, at: now) { changes.append(change) }
    }
    holes = open
    deadline = open.isEmpty ? nil : now + Self.lookPause
    return changes
  }

  private func isAwaited(_ hole: Hole, _ prospect: Prospect, at now: Duration) -> Bool {
    switch prospect {
    case .never: false
    case .soon: now - hole.since < Self.patience
    case .late: now - hole.since < Self.mostPatience
    }
  }

  private mutating func missing(_ skip: SequenceSkip, of number: Int, at now: Duration) -> GapChange? {
    if streams[number].isIgnored { return nil }
    findings.append(.skipped(skip))
    if paces[number] == nil {
      paces[number] = SkipPace(at: now, events: streams[number].events)
    } else if paces[number]?.skipped(at: now, events: streams[number].events) == true {
      streams[number].isIgnored = true
      if streams[number].isProvable { find(.notProvable(stream: skip.stream, isSkipping: true)) }
      streams[number].isProvable = false
    }
    if var gap = gaps[number], now - gap.since < Self.gapLength, skip.startedAt >= gap.startedAt {
      gap.endedAt = max(gap.endedAt, skip.endedAt)
      if skip.before.id > gap.skip.before.id { gap.skip.before = skip.before }
      if skip.after.id < gap.skip.after.id { gap.skip.after = skip.after }
      gap.skips += 1
      gaps[number] = gap
      return .extend(endedAt: gap.endedAt, detail: gap.skip.detail(count: gap.skips), gap.gaps)
    }
    let gap = Gap(
      gaps: OpenGaps(), since: now, skip: skip, skips: 1, startedAt: skip.startedAt, endedAt: skip.endedAt)
    gaps[number] = gap
    return .add(
      startedAt: skip.startedAt, endedAt: skip.endedAt, cause: .sequence, streams: [skip.stream],
      detail: skip.detail(count: 1), gap.gaps)
  }

  // MARK: Findings

  private mutating func find(_ finding: Finding) {
    findings.append(finding)
    isChanged = true
  }

  /// The findings since they were last taken.
  mutating func takeFindings() -> [Finding] {
    defer { findings = [] }
    return findings
  }
}
