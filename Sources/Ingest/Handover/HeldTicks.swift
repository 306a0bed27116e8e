import WAL

/// Ticks that wait for another connection, each stream in a queue of its own; all their texts in one buffer.
///
/// A stream waits once: after its ticks were taken, none is added before all others were taken as well.
struct HeldTicks: Sendable {
  struct Tick: Sendable {
    var entry: TickBatch.Entry
    var key: TickKey
    var stream: Int
    /// The next one of its stream.
    fileprivate var next = -1
  }

  private struct Queue {
    var first: Int
    var last: Int
    var until: Duration
  }

  struct Taken: Sendable {
    var ticks: [Tick]
    /// The texts of all of them.
    var texts: TickBatch
  }

  /// Texts that were taken stay until all are.
  private var batch = TickBatch()
  private var ticks: [Tick] = []
  private var queues: [Int: Queue] = [:]
  /// Streams in the order of their ends; those already taken are passed over.
  private var order: [(stream: Int, until: Duration)] = []
  private var next = 0

  var isEmpty: Bool { queues.isEmpty }
  /// The memory of all, texts that were taken included.
  var byteCount: Int { batch.byteCount + ticks.count * Self.bytesBesideTexts }
  private static let bytesBesideTexts = MemoryLayout<Tick>.stride + MemoryLayout<TickBatch.Entry>.stride
  /// The moment in which the first stream has waited long enough.
  var deadline: Duration? { isEmpty ? nil : order[next].until }

  /// - Parameter until: when the stream has waited long enough; counts for its first tick, and must not be
  ///   earlier than an earlier stream's.
  mutating func add(
    _ entry: TickBatch.Entry, of other: TickBatch, key: TickKey, stream: Int,
    until: @autoclosure () -> Duration
  ) {
    batch.append(entry, of: other)
    let number = ticks.count
    ticks.append(Tick(entry: batch.entries[number], key: key, stream: stream))
    if let last = queues[stream]?.last {
      ticks[last].next = number
      queues[stream]?.last = number
    } else {
      let until = until()
      queues[stream] = Queue(first: number, last: number, until: until)
      order.append((stream, until))
    }
  }

  /// True if the stream waits for this tick.
  func isFirst(_ key: TickKey, of stream: Int) -> Bool {
    queues[stream].map { ticks[$0.first].key == key } ?? false
  }

  /// The time of the event that the stream waits for, milliseconds UTC; nil if it waits for none or that says no time.
  func firstEventTime(of stream: Int) -> Int64? { queues[stream].flatMap { ticks[$0.first].entry.eventTime } }

  /// Takes a stream's ticks out, in order.
  mutating func take(_ stream: Int) -> Taken {
    var taken = Taken(ticks: [], texts: batch)
    guard let queue = queues.removeValue(forKey: stream) else { return taken }
    var number = queue.first
    while number >= 0 {
      taken.ticks.append(ticks[number])
      number = ticks[number].next
    }
    tidy()
    return taken
  }

  /// Takes all ticks out in the order in which they came.
  mutating func takeAll() -> Taken {
    defer { self = HeldTicks() }
    return Taken(ticks: ticks.filter { queues[$0.stream] != nil }, texts: batch)
  }

  /// The streams that have waited long enough.
  func due(at now: Duration) -> [Int] {
    order[next...].prefix { $0.until <= now }.map(\.stream).filter { queues[$0] != nil }
  }

  private mutating func tidy() {
    if queues.isEmpty {
      self = HeldTicks()
    } else {
      while queues[order[next].stream] == nil { next += 1 }
    }
  }
}
