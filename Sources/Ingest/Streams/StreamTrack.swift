import WAL

/// The track that one connection's streams leave: when each of them last delivered on it, and in which rhythm.
struct StreamTrack: Sendable {
  private struct Stream {
    /// Microseconds UTC.
    var lastReceived: Int64
    var ticks: Int32 = 1
    /// Microseconds of the time in which the connection delivered: at its last tick, and the most between two.
    var lastActive: Int64
    var longestPause: Int64 = 0

    mutating func received(at time: Int64, active: Int64) {
      longestPause = max(longestPause, active - lastActive)
      lastReceived = time
      lastActive = active
      if ticks < .max { ticks += 1 }
    }
  }

  /// A stream that has so many ticks has a rhythm.
  static let ticksForRhythm: Int32 = 10
  /// A silence this much longer than the longest pause does not belong to the rhythm.
  static let patience = 10

  /// Longer than this between two deliveries the connection itself was silent.
  private static let activity = Duration.seconds(1)

  private var table = StreamTable()
  private var streams: [Stream] = []
  /// Microseconds in which the connection has delivered: while it is silent itself no stream of it is.
  private var active: Int64 = 0
  private var deliveredAt: Duration?

  /// On the path of every tick.
  ///
  /// - Parameters:
  ///   - time: microseconds UTC: up to then each stream that the ticks are of has delivered everything.
  ///   - now: of a monotonic clock.
  mutating func note(_ ticks: TickBatch, arrays: Set<String>, at time: Int64, now: Duration) {
    if let deliveredAt {
      active += Int64(min(max(now - deliveredAt, .zero), Self.activity) / .microseconds(1))
    }
    deliveredAt = now
    ticks.withTexts { _, name, _ in
      guard let number = table.number(of: name) else { return }
      note(number, at: time)
    }
    // Their ticks bear other names.
    for name in arrays {
      if let number = table.number(of: name) { note(number, at: time) }
    }
  }

  private mutating func note(_ number: Int, at time: Int64) {
    if number == streams.count {
      streams.append(Stream(lastReceived: time, lastActive: active))
    } else {
      streams[number].received(at: time, active: active)
    }
  }

  /// Takes in what a later connection has left, which has ended. A stream that was silent until then may be silent as
  /// long again.
  mutating func absorb(_ newer: StreamTrack) {
    for (other, stream) in newer.streams.enumerated() {
      guard let number = table.number(of: newer.table.name(other)) else { continue }
      var ended = stream
      ended.longestPause = max(ended.longestPause, newer.active - ended.lastActive)
      if number == streams.count {
        streams.append(ended)
      } else {
        ended.longestPause = max(ended.longestPause, streams[number].longestPause)
        ended.ticks = Int32(clamping: Int64(ended.ticks) + Int64(streams[number].ticks))
        streams[number] = ended
      }
    }
  }

  /// Microseconds UTC; nil for a stream that has not delivered.
  func lastReceived(_ stream: String) -> Int64? { table.existing(stream).map { streams[$0].lastReceived } }

  /// The rhythm of a stream.
  struct Rhythm: Equatable, Sendable {
    /// Microseconds UTC.
    var lastReceived: Int64
    var longestPause: Duration
    /// A silence that does not belong to it.
    var silence: Duration { longestPause * StreamTrack.patience }
  }

  /// The streams that have one.
  var rhythms: [String: Rhythm] {
    var rhythms: [String: Rhythm] = [:]
    for (number, stream) in streams.enumerated() where stream.ticks >= Self.ticksForRhythm {
      rhythms[table.name(number)] = Rhythm(
        lastReceived: stream.lastReceived, longestPause: .microseconds(max(stream.longestPause, 0)))
    }
    return rhythms
  }
}
