import WAL

/// The track that one connection's streams leave: when each of them last delivered on it.
struct StreamTrack: Sendable {
  private var table = StreamTable()
  /// Microseconds UTC.
  private var lastReceived: [Int64] = []

  /// On the path of every tick.
  ///
  /// - Parameter time: microseconds UTC: up to then each stream that the ticks are of has delivered everything.
  mutating func note(_ ticks: TickBatch, at time: Int64) {
    ticks.withTexts { _, name, _ in
      guard let number = table.number(of: name) else { return }
      if number == lastReceived.count {
        lastReceived.append(time)
      } else {
        lastReceived[number] = time
      }
    }
  }

  /// Microseconds UTC; nil for a stream that has not delivered.
  func lastReceived(_ stream: String) -> Int64? { table.existing(stream).map { lastReceived[$0] } }
}
