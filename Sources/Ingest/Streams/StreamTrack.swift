import WAL

/// The track that one connection's streams leave: when each of them last delivered on it, and in which rhythm.
struct StreamTrack: Sendable {
  private struct Stream {
    /// Microseconds UTC.
    var lastReceived: Int64
    var ticks: Int32 = 1
    /// Microseconds.
    var longestPause: Int64 = 0

    mutating func received(at time: Int64) {
      longestPause = max(longestPause, time - lastReceived)
      lastReceived = time
      if ticks < .max { ticks += 1 }
    }
  }

  /// A stream that has so many ticks has a rhythm.
  static let ticksForRhythm: Int32 = 10
  /// A silence this much longer than the longest pause does not belong to the rhythm.
  static let patience = 10

  private var table = StreamTable()
  private var streams: [Stream] = []

  /// On the path of every tick.
  ///
  /// - Parameter time: microseconds UTC: up to then each stream that the ticks are of has delivered everything.
  mutating func note(_ ticks: TickBatch, at time: Int64) {
    ticks.withTexts { _, name, _ in
      guard let number = table.number(of: name) else { return }
      note(number, at: time)
    }
  }

  /// For streams whose ticks bear other names (`!miniTicker@arr`).
  mutating func note(array name: String, at time: Int64) {
    if let number = table.number(of: name) { note(number, at: time) }
  }

  private mutating func note(_ number: Int, at time: Int64) {
    if number == streams.count {
      streams.append(Stream(lastReceived: time))
    } else {
      streams[number].received(at: time)
    }
  }

  /// Takes in what a later connection has left, which has ended.
  ///
  /// - Parameter time: microseconds UTC: its end. A stream that had been silent until then may be silent as long again.
  mutating func absorb(_ newer: StreamTrack, endedAt time: Int64) {
    for (other, stream) in newer.streams.enumerated() {
      guard let number = table.number(of: newer.table.name(other)) else { continue }
      var ended = stream
      ended.longestPause = max(ended.longestPause, time - ended.lastReceived)
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

  /// The streams with a rhythm: when each last delivered (microseconds UTC), and a silence that does not belong to it.
  var rhythms: [String: (lastReceived: Int64, silence: Duration)] {
    var rhythms: [String: (lastReceived: Int64, silence: Duration)] = [:]
    for (number, stream) in streams.enumerated() where stream.ticks >= Self.ticksForRhythm {
      rhythms[table.name(number)] = (
        stream.lastReceived, .microseconds(max(stream.longestPause, 0)) * Self.patience
      )
    }
    return rhythms
  }
}
