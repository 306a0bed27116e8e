import WAL

/// A watch over every stream for itself: which deliver nothing, which have stopped while others go on, whose events
/// stand still, how many ticks are late.
///
/// One for all slots. Nothing is done to a tick; the findings are for an operator. Times of `now` are of one
/// monotonic clock.
struct StreamWatch: Sendable {
  struct Limits: Equatable, Sendable {
    /// The time for which a stream may deliver nothing, from when it was subscribed to or from its last tick.
    var silence: Duration = .seconds(300)
    /// A stream has stopped only if its silence is so many times longer than its longest pause until then…
    var pauses: Int64 = 10
    /// … which is known from so many ticks.
    var knownAfter = 10
    /// With nothing from any stream for so long, no silence is that of one stream alone.
    var common: Duration = .seconds(60)
    /// The time for which ticks may keep coming without a newer event time.
    var standstill: Duration = .seconds(300)
    /// Streams beyond this many are not watched.
    var streams = 65_536
  }

  enum Finding: Equatable, Sendable {
    /// It has delivered nothing since it was subscribed to.
    case silent(stream: String)
    /// It has delivered, and nothing since then on the clock of `now`, while others did.
    case stopped(stream: String, since: Duration)
    /// Its ticks keep coming, but their event time (milliseconds UTC) stands still.
    case standing(stream: String, eventTime: Int64)
  }

  /// Times in nanoseconds; -1 for none.
  private struct Stream {
    var highestEventTime = Int64.min
    /// Of the first tick since the event time moved last that did not move it.
    var stillSince: Int64 = -1
    var lastTickAt: Int64 = -1
    /// Since when it is subscribed to without having delivered.
    var awaitedSince: Int64 = -1
    /// True while an open connection is subscribed to it.
    var isCarried = false
    /// Of deliveries with nothing but the stream's own silence in between.
    var longestPause: Int64 = 0
    /// The moment where a pause may begin; none after a time in which the stream could not deliver.
    var pauseFrom: Int64 = -1
    var deliveries = 0
    var isNamedSilent = false
    var isNamedStopped = false
    var isNamedStanding = false
    var ticks = 0
    /// Those of them that came while its ids were followed.
    var provenTicks = 0
    var isProven = false

    /// - Returns: whether the tick is late.
    mutating func note(eventTime: Int64?, at now: Int64, othersSince: Int64) -> Bool {
      delivered(at: now, othersSince: othersSince)
      ticks += 1
      if isProven { provenTicks += 1 }
      lastTickAt = now
      guard let eventTime else { return false }
      if eventTime > highestEventTime {
        highestEventTime = eventTime
        stillSince = -1
        isNamedStanding = false
        return false
      }
      if stillSince < 0 { stillSince = now }
      return eventTime < highestEventTime
    }

    mutating func delivered(at now: Int64, othersSince: Int64) {
      isAwaitedNoMore()
      isNamedStopped = false
      deliveries += 1
      if pauseFrom >= othersSince { longestPause = max(longestPause, now - pauseFrom) }
      pauseFrom = now
    }

    mutating func isAwaitedNoMore() {
      awaitedSince = -1
      isNamedSilent = false
    }

    mutating func isCutOff() {
      isCarried = false
      pauseFrom = -1
    }
  }

  /// Ticks whose event time was lower than their stream's highest; they are kept.
  private(set) var late = 0
  /// Ticks of streams beyond those that are watched.
  private var unwatched = 0
  private let limits: Limits
  private var table: StreamTable
  private var streams: [Stream] = []
  /// The last delivery of any stream, and since when they have come without a common pause. Nanoseconds.
  private var lastDelivery: Int64 = -1
  private var deliveringSince: Int64 = 0

  init(limits: Limits = Limits()) {
    self.limits = limits
    table = StreamTable(limit: limits.streams)
  }

  /// A connection is open and subscribed to these: what they deliver is awaited from now on, or still.
  mutating func subscribed(_ names: [String], at now: Duration) {
    for name in names {
      guard let number = number(of: name) else { continue }
      streams[number].isCarried = true
      if streams[number].awaitedSince < 0 { streams[number].awaitedSince = now.nanoseconds }
    }
  }

  /// No connection is open that is subscribed to these: their silence is not their own.
  mutating func cutOff(_ names: [String]) {
    for name in names {
      if let number = number(of: name) { streams[number].isCutOff() }
    }
  }

  /// They are not in the list any more; what they still deliver is noted as before.
  mutating func unsubscribed(_ names: [String]) {
    for name in names {
      guard let number = number(of: name) else { continue }
      streams[number].isAwaitedNoMore()
      streams[number].isCutOff()
    }
  }

  /// Notes what goes to the log. On the path of every tick.
  mutating func note(_ ticks: TickBatch, at now: Duration) {
    let now = now.nanoseconds
    if ticks.count > 0 { somethingCame(at: now) }
    let others = deliveringSince
    ticks.withTexts { tick, name, _ in
      guard let number = table.number(of: name) else {
        unwatched += 1
        return
      }
      if number == streams.count { streams.append(Stream()) }
      if streams[number].note(eventTime: tick.eventTime, at: now, othersSince: others) { late += 1 }
    }
  }

  /// Notes that an array stream, whose ticks bear the names of their symbols, has delivered.
  mutating func noteArray(_ name: String, at now: Duration) {
    let now = now.nanoseconds
    somethingCame(at: now)
    if let number = number(of: name) { streams[number].delivered(at: now, othersSince: deliveringSince) }
  }

  private mutating func somethingCame(at now: Int64) {
    if now - lastDelivery >= limits.common.nanoseconds { deliveringSince = now }
    lastDelivery = now
  }

  /// The findings since the last review; each one once, until it has changed.
  mutating func review(at now: Duration) -> [Finding] {
    let now = now.nanoseconds
    var findings: [Finding] = []
    for number in streams.indices {
      let stream = streams[number]
      if stream.awaitedSince >= 0, !stream.isNamedSilent, !stream.isNamedStopped,
        now - stream.awaitedSince >= limits.silence.nanoseconds
      {
        streams[number].isNamedSilent = true
        findings.append(.silent(stream: table.name(number)))
      }
      if hasStopped(stream, at: now) {
        streams[number].isNamedStopped = true
        findings.append(.stopped(stream: table.name(number), since: .nanoseconds(stream.pauseFrom)))
      }
      if stream.stillSince >= 0, !stream.isNamedStanding,
        stream.lastTickAt - stream.stillSince >= limits.standstill.nanoseconds
      {
        streams[number].isNamedStanding = true
        findings.append(.standing(stream: table.name(number), eventTime: stream.highestEventTime))
      }
    }
    return findings
  }

  /// The streams that the reviews have found silent or stopped, and that an open connection still carries.
  var silentStreams: [String] {
    streams.indices.filter {
      streams[$0].isCarried && (streams[$0].isNamedSilent || streams[$0].isNamedStopped)
    }.map { table.name($0) }
  }

  private func hasStopped(_ stream: Stream, at now: Int64) -> Bool {
    guard stream.isCarried, stream.awaitedSince < 0, !stream.isNamedStopped, stream.pauseFrom >= 0,
      stream.deliveries >= limits.knownAfter, now - lastDelivery < limits.common.nanoseconds
    else { return false }
    // What all streams were silent for does not count.
    let silence = now - max(stream.pauseFrom, deliveringSince)
    return silence >= limits.silence.nanoseconds && silence / limits.pauses > stream.longestPause
  }

  // MARK: Completeness

  /// A stream's ids are followed from now on: a tick that is missing would be noticed.
  mutating func proven(_ name: String) {
    if let number = number(of: name) { streams[number].isProven = true }
  }

  /// A stream's ids prove nothing, and have proven nothing.
  mutating func notProven(_ name: String) {
    guard let number = number(of: name) else { return }
    streams[number].isProven = false
    streams[number].provenTicks = 0
  }

  /// Streams that have delivered, and their ticks, by kind; off the hot path.
  func completeness() -> [Completeness.Kind] {
    var kinds = Dictionary(
      uniqueKeysWithValues: StreamKind.allCases.map { ($0, Completeness.Kind(name: $0.rawValue)) })
    kinds[.others]?.ticks += unwatched
    for (number, stream) in streams.enumerated() where stream.ticks > 0 {
      kinds[table.withName(number) { StreamKind($0) }]?.add(
        ticks: stream.ticks, provenTicks: stream.provenTicks, isProven: stream.isProven)
    }
    return StreamKind.allCases.compactMap { kinds[$0] }
  }

  private mutating func number(of name: String) -> Int? {
    let number = table.number(of: name)
    if number == streams.count { streams.append(Stream()) }
    return number
  }
}

extension Duration {
  /// Whole nanoseconds; enough for 292 years.
  fileprivate var nanoseconds: Int64 {
    components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
  }
}
