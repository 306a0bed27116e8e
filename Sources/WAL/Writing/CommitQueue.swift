/// The decision when the writer commits, and what the queue before it admits: a pure value, moved by the writer's
/// lock.
///
/// A group is committed when it holds `maximumTicks` or `maximumBytes`, or when its oldest request has
/// waited `linger`; what has queued up by then goes along, up to `groupTicks`. A patient request takes part in the next
/// group, and waits longer than that for one; for an urgent one the writer waits only until it is free. The queue is
/// full at `capacity` bytes; one larger request is admitted into an empty queue.
struct CommitQueue<Request> {
  struct Limits: Sendable {
    var maximumTicks = 1_000
    /// Ticks at which a group takes no more requests, if these are more than `maximumTicks`.
    var groupTicks = 0
    var maximumBytes = 1 << 20
    var linger: Duration = .milliseconds(5)
    /// The time that a patient request waits for another one's commit.
    var patience: Duration = .milliseconds(200)
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
    let mayPass: Bool
    let urgency: WriteUrgency
  }

  let limits: Limits
  /// The queue; requests taken are `nil`, up to `first`, and dropped when they are half of the array: taking a
  /// group must not move everything behind it.
  private var waiting: [Waiting?] = []
  private var first = 0
  private(set) var ticks = 0
  private(set) var bytes = 0
  /// The requests that were taken last.
  private var taken: [Waiting] = []
  private var passing = 0
  private var patient = 0
  private var urgent = 0
  /// Since `hurry`, patient requests that wait are due.
  private var isHurried = false

  init(limits: Limits) {
    self.limits = limits
  }

  /// The times at which the requests that were taken last had been queued.
  var takenSince: [Duration] { taken.filter { $0.ticks > 0 }.map(\.since) }

  var isEmpty: Bool { first == waiting.count }
  var isHalfEmpty: Bool { bytes <= limits.capacity / 2 }

  func admits(bytes more: Int) -> Bool {
    bytes == 0 || bytes + more <= limits.capacity
  }

  /// Whether there is something for ``takePassing()``.
  var hasPassing: Bool { passing > 0 }

  /// - Parameters:
  ///   - now: on the writer's monotonic clock.
  ///   - mayPass: whether it may be committed before what was queued earlier.
  mutating func add(
    _ request: Request, ticks: Int, bytes: Int, mayPass: Bool = false,
    urgency: WriteUrgency = .usual, now: Duration
  ) {
    let added = Waiting(
      request: request, ticks: ticks, bytes: bytes, since: now, mayPass: mayPass, urgency: urgency)
    waiting.append(added)
    count(added, 1)
  }

  private mutating func count(_ request: Waiting, _ sign: Int) {
    ticks += sign * request.ticks
    bytes += sign * request.bytes
    if request.mayPass { passing += sign }
    switch request.urgency {
    case .patient: patient += sign
    case .usual: break
    case .urgent: urgent += sign
    }
    if patient == 0 { isHurried = false }
  }

  /// Those patient requests that wait now wait no longer.
  mutating func hurry() { isHurried = patient > 0 }

  func decide(now: Duration) -> Decision {
    guard let dueAt else { return .idle }
    if ticks >= limits.maximumTicks || bytes >= limits.maximumBytes { return .commitNow }
    let left = dueAt - now
    return left <= .zero ? .commitNow : .commitAfter(left)
  }

  /// The time by which there must be a commit, as long as no limit is reached; `nil` if nothing is queued.
  private var dueAt: Duration? {
    if isHurried || urgent > 0 { return .zero }
    var dueAt: Duration?
    for case let request? in waiting[first...] {
      guard request.urgency == .patient else {
        // Those behind it came later, and none of them is due earlier.
        let usual = request.since + limits.linger
        return dueAt.map { min($0, usual) } ?? usual
      }
      dueAt = dueAt ?? request.since + max(limits.patience, limits.linger)
    }
    return dueAt
  }

  /// The next group: at least one request, and more until a limit is reached.
  mutating func takeGroup() -> [Request] {
    var ticks = 0
    var bytes = 0
    taken.removeAll(keepingCapacity: true)
    while first < waiting.count, ticks < max(limits.groupTicks, limits.maximumTicks),
      bytes < limits.maximumBytes, let next = waiting[first]
    {
      taken.append(next)
      ticks += next.ticks
      bytes += next.bytes
      count(next, -1)
      waiting[first] = nil
      first += 1
    }
    if first * 2 >= waiting.count {
      waiting.removeFirst(first)
      first = 0
    }
    return taken.map { $0.request }
  }

  /// Everything that may be committed before what is in its way.
  mutating func takePassing() -> [Request] {
    let all = waiting.compactMap { $0 }
    taken = all.filter { $0.mayPass }
    waiting = all.filter { !$0.mayPass }
    first = 0
    for request in taken { count(request, -1) }
    return taken.map { $0.request }
  }

  /// The requests taken last could not be committed: they come first again.
  mutating func putBack() {
    waiting.replaceSubrange(..<first, with: taken.map { $0 })
    first = 0
    for request in taken { count(request, 1) }
    taken = []
  }

  mutating func takeAll() -> [Request] {
    let all = waiting.compactMap { $0?.request }
    waiting.removeAll()
    first = 0
    ticks = 0
    bytes = 0
    passing = 0
    patient = 0
    urgent = 0
    isHurried = false
    return all
  }
}

/// The time that a request lets the writer take to gather others for the same commit.
package enum WriteUrgency: Sendable {
  /// A fifth of a second at most, or until ``TickLog/hurry()``: it shares the commit of ticks and costs no fsync of its
  /// own.
  case patient
  /// `COMMIT_LINGER_MS`.
  case usual
  /// None: others wait until it is durable.
  case urgent
}
