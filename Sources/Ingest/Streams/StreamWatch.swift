import WAL

/// A watch over every stream for itself: which deliver nothing, whose events stand still, how many ticks are late.
///
/// One for all slots. Nothing is done to a tick; the findings are for an operator. Times of `now` are of one
/// monotonic clock.
struct StreamWatch: Sendable {
  struct Limits: Equatable, Sendable {
    /// How long a stream may deliver nothing after it was subscribed to.
    var silence: Duration = .seconds(300)
    /// How long ticks may keep coming without a newer event time.
    var standstill: Duration = .seconds(300)
    /// Streams beyond this many are not watched.
    var streams = 65_536
  }

  enum Finding: Equatable, Sendable {
    /// It has delivered nothing since it was subscribed to.
    case silent(stream: String)
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
    var isNamedSilent = false
    var isNamedStanding = false

    /// - Returns: whether the tick is late.
    mutating func note(eventTime: Int64?, at now: Int64) -> Bool {
      delivered()
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

    mutating func delivered() {
      awaitedSince = -1
      isNamedSilent = false
    }
  }

  /// Ticks whose event time was lower than their stream's highest; they are kept.
  private(set) var late = 0
  private let limits: Limits
  private var table: StreamTable
  private var streams: [Stream] = []

  init(limits: Limits = Limits()) {
    self.limits = limits
    table = StreamTable(limit: limits.streams)
  }

  /// A connection is open and subscribed to these: what they deliver is awaited from now on.
  mutating func subscribed(_ names: [String], at now: Duration) {
    for name in names {
      if let number = number(of: name) { streams[number].awaitedSince = now.nanoseconds }
    }
  }

  /// They are not in the list any more; what they still deliver is noted as before.
  mutating func unsubscribed(_ names: [String]) {
    for name in names {
      if let number = number(of: name) { streams[number].delivered() }
    }
  }

  /// Notes what goes to the log. On the path of every tick.
  mutating func note(_ ticks: TickBatch, at now: Duration) {
    let now = now.nanoseconds
    ticks.withTexts { tick, name, _ in
      guard let number = table.number(of: name) else { return }
      if number == streams.count { streams.append(Stream()) }
      if streams[number].note(eventTime: tick.eventTime, at: now) { late += 1 }
    }
  }

  /// Notes that an array stream, whose ticks bear the names of their symbols, has delivered.
  mutating func noteArray(_ name: String) {
    if let number = number(of: name) { streams[number].delivered() }
  }

  /// The findings since the last review; each one once, until it has changed.
  mutating func review(at now: Duration) -> [Finding] {
    let now = now.nanoseconds
    var findings: [Finding] = []
    for number in streams.indices {
      let stream = streams[number]
      if stream.awaitedSince >= 0, !stream.isNamedSilent,
        now - stream.awaitedSince >= limits.silence.nanoseconds
      {
        streams[number].isNamedSilent = true
        findings.append(.silent(stream: table.name(number)))
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
