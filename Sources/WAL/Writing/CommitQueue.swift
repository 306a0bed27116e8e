/// When the writer commits, and what the queue before it admits: a pure value, moved by the writer's lock.
///
/// A group is committed when it holds `maximumTicks` or `maximumBytes`, or when its oldest request has
/// waited `linger`. The queue is full at `capacity` bytes; one larger request is admitted into an empty queue.
struct CommitQueue<Request> {
  struct Limits: Sendable {
    var maximumTicks = 1_000
    var maximumBytes = 1 << 20
    var linger: Duration = .milliseconds(5)
    /// Bytes that may wait, payloads and stream names counted.
    var capacity = 16 << 20
  }

  enum Decision: Equatable {
    /// Nothing is queued.
    case idle
    case commitNow
    case commitAfter(Duration)
  }

  private struct Waiting {
    let request: Request
    let ticks: Int
    let bytes: Int
    let since: Duration
  }

  let limits: Limits
  private var waiting: [Waiting] = []
  private(set) var ticks = 0
  private(set) var bytes = 0

  init(limits: Limits) {
    self.limits = limits
  }

  var isEmpty: Bool { waiting.isEmpty }
  var isHalfEmpty: Bool { bytes <= limits.capacity / 2 }

  func admits(bytes more: Int) -> Bool {
    bytes == 0 || bytes + more <= limits.capacity
  }

  /// - Parameter now: on the writer's monotonic clock.
  mutating func add(_ request: Request, ticks: Int, bytes: Int, now: Duration) {
    waiting.append(Waiting(request: request, ticks: ticks, bytes: bytes, since: now))
    self.ticks += ticks
    self.bytes += bytes
  }

  func decide(now: Duration) -> Decision {
    guard let oldest = waiting.first else { return .idle }
    if ticks >= limits.maximumTicks || bytes >= limits.maximumBytes { return .commitNow }
    let left = oldest.since + limits.linger - now
    return left <= .zero ? .commitNow : .commitAfter(left)
  }

  /// The next group: at least one request, and more until a limit is reached.
  mutating func takeGroup() -> [Request] {
    var count = 0
    var ticks = 0
    var bytes = 0
    while count < waiting.count, count == 0 || (ticks < limits.maximumTicks && bytes < limits.maximumBytes) {
      ticks += waiting[count].ticks
      bytes += waiting[count].bytes
      count += 1
    }
    let group = waiting[..<count].map(\.request)
    waiting.removeFirst(count)
    self.ticks -= ticks
    self.bytes -= bytes
    return group
  }

  mutating func takeAll() -> [Request] {
    let all = waiting.map(\.request)
    waiting.removeAll()
    ticks = 0
    bytes = 0
    return all
  }
}
