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
  /// What was taken is `nil` up to `first`, and dropped when it is half of the array: taking a group must
  /// not move everything behind it.
  private var waiting: [Waiting?] = []
  private var first = 0
  private(set) var ticks = 0
  private(set) var bytes = 0

  init(limits: Limits) {
    self.limits = limits
  }

  var isEmpty: Bool { first == waiting.count }
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
    guard !isEmpty, let oldest = waiting[first] else { return .idle }
    if ticks >= limits.maximumTicks || bytes >= limits.maximumBytes { return .commitNow }
    let left = oldest.since + limits.linger - now
    return left <= .zero ? .commitNow : .commitAfter(left)
  }

  /// The next group: at least one request, and more until a limit is reached.
  mutating func takeGroup() -> [Request] {
    var group: [Request] = []
    var ticks = 0
    var bytes = 0
    while first < waiting.count, ticks < limits.maximumTicks, bytes < limits.maximumBytes,
      let next = waiting[first]
    {
      group.append(next.request)
      ticks += next.ticks
      bytes += next.bytes
      waiting[first] = nil
      first += 1
    }
    self.ticks -= ticks
    self.bytes -= bytes
    if first * 2 >= waiting.count {
      waiting.removeFirst(first)
      first = 0
    }
    return group
  }

  mutating func takeAll() -> [Request] {
    let all = waiting.compactMap { $0?.request }
    waiting.removeAll()
    first = 0
    ticks = 0
    bytes = 0
    return all
  }
}
