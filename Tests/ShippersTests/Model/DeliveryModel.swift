@testable import Shippers
@testable import WAL

/// What has been promised so far, and what lies outside of the log: a plain value. It is told what is asked of
/// the log and what arrives at the places outside, and compares each snapshot of the log with it.
///
/// A promise that is broken becomes a line in `contradictions`.
struct DeliveryModel: Sendable {
  struct Object: Equatable, Sendable {
    let sha256: String
    let numbers: [Int64]
  }

  private(set) var contradictions: [String] = []

  // MARK: The log

  /// The payloads that were asked to be appended, in order; the first `confirmed` of them are promised.
  private(set) var asked: [String] = []
  private(set) var confirmed = 0
  /// The last tick that may be old by now.
  private(set) var aged: Int64 = 0
  private(set) var last = LogSnapshot()
  /// Where a consumer began.
  private var starts: [ConsumerName: Int64] = [:]
  /// The lowest offset that a seek under way may bring a consumer to.
  private var seekingTo: [ConsumerName: Int64] = [:]
  private var sought: Set<ConsumerName> = []
  /// Those that were disabled for a while.
  private var hasPaused: Set<ConsumerName> = []
  private var mayBeOpen = 0
  /// What may be recorded as skipped, and the sets of consumers that may be enabled.
  private var maySkip: [ConsumerName: Set<Int64>] = [:]
  private var mayBeEnabled: [Set<ConsumerName>] = [[]]
  /// Every plan ever seen, by its first offset.
  private var frozen: [Int64: LogSnapshot.Plan] = [:]

  /// The plans that uploads were made for.
  private var uploaded: [Int64: LogSnapshot.Plan] = [:]

  // MARK: Outside

  private(set) var objects: [String: Object] = [:]
  /// Which object an offset is in.
  private var keys: [Int64: String] = [:]
  private(set) var items: [Int64: Item] = [:]

  mutating func contradict(_ text: String) {
    if contradictions.count < 20 { contradictions.append(text) }
  }

  // MARK: Asking

  mutating func ask(append payloads: [String]) { asked += payloads }
  mutating func confirm(appended range: OffsetRange) {
    if Int(range.upperBound.rawValue) > asked.count || range.lowerBound.rawValue != confirmed + 1 {
      contradict("\(range) was confirmed after \(confirmed)")
    }
    confirmed = Int(range.upperBound.rawValue)
  }

  /// Everything that is there may be old from now on.
  mutating func age() { aged = Int64(asked.count) }

  /// - Parameter mayBeOpen: how many plans of s3 may be open from now on, with those that are.
  mutating func ask(enable consumers: Set<ConsumerName>, mayBeOpen: Int) {
    mayBeEnabled.append(consumers)
    hasPaused.formUnion(last.consumers.keys.filter { !consumers.contains($0) })
    self.mayBeOpen = max(self.mayBeOpen, mayBeOpen)
    // One that was not enabled has missed what was trimmed meanwhile.
    for name in consumers where last.consumers[name]?.isEnabled == false {
      let first = last.consumers[name]?.next ?? 1
      maySkip[name, default: []].formUnion(first..<max(first, last.trimmed + 1))
    }
  }

  mutating func confirmEnabled() { mayBeEnabled.removeFirst(mayBeEnabled.count - 1) }

  mutating func ask(seek consumer: ConsumerName, from: Int64, to: Int64) {
    sought.insert(consumer)
    seekingTo[consumer] = min(from, to)
    if to > from { maySkip[consumer, default: []].formUnion(from..<to) }
  }

  mutating func confirm(seek consumer: ConsumerName, to: Int64) {
    seekingTo[consumer] = nil
    last.consumers[consumer]?.next = to
  }

  /// The process before has ended; what it had not confirmed is there or not.
  mutating func restart(_ snapshot: LogSnapshot) {
    let head = Int(snapshot.head)
    guard confirmed...asked.count ~= head else {
      return contradict("the log has \(head) ticks after a restart, \(confirmed) were confirmed")
    }
    asked.removeLast(asked.count - head)
    confirmed = head
    see(snapshot, confirmed: head)
    seekingTo = [:]
  }

  // MARK: Outside

  /// An upload begins: its plan must be in the log.
  mutating func upload(_ object: NewObject, _ plan: BatchPlan?) {
    let range = object.range.numbers
    guard let plan, plan.key == object.key, plan.range == object.range,
      plan.wasEverPlanned(sha256: object.sha256)
    else { return contradict("\(object.key) is uploaded, the plan is \(plan.map { "\($0)" } ?? "nowhere")") }
    let found = LogSnapshot.Plan(
      consumer: .s3, range: range, key: plan.key, hashes: Set(plan.earlierSHA256 + [plan.sha256]),
      isShipped: false)
    check(found)
    uploaded[range.lowerBound] = found
  }

  /// A plan is for ever.
  private mutating func check(_ plan: LogSnapshot.Plan) {
    guard let known = frozen[plan.range.lowerBound] ?? uploaded[plan.range.lowerBound] else { return }
    if known.range != plan.range || known.key != plan.key || !known.hashes.isSubset(of: plan.hashes) {
      contradict("the plan \(known) became \(plan)")
    }
  }

  /// An upload arrives, and takes effect unless the key is taken.
  mutating func store(_ key: String, _ object: Object) -> Bool {
    guard objects[key] == nil else { return false }
    objects[key] = object
    for number in object.numbers {
      if let other = keys[number] { contradict("offset \(number) is in \(other) and in \(key)") }
      keys[number] = key
    }
    return true
  }

  /// Somebody deletes objects and items outside of the log.
  mutating func lose(_ range: ClosedRange<Int64>, of consumer: ConsumerName, where isLost: (Int64) -> Bool) {
    if consumer == .s3 {
      for (key, object) in objects {
        guard let first = object.numbers.first, range.contains(first), isLost(first) else { continue }
        objects[key] = nil
        for number in object.numbers { keys[number] = nil }
      }
    } else {
      items = items.filter { !range.contains($0.key) || !isLost($0.key) }
    }
  }

  mutating func write(_ number: Int64, _ item: Item) {
    if let other = items[number], other != item { contradict("the item of offset \(number) has changed") }
    items[number] = item
  }

  /// Whether an offset is where a consumer was to bring it, or recorded.
  private func isSettled(_ offset: Int64, for consumer: ConsumerName, in snapshot: LogSnapshot) -> Bool {
    if consumer == .s3 ? keys[offset] != nil : items[offset] != nil { return true }
    if consumer != .s3, ModelTick(offset).isExpired { return true }
    return snapshot.skips(offset, of: consumer) || snapshot.letters[consumer]?.contains(offset) ?? false
  }

  // MARK: Looking

  /// Compares what the log says with what was promised.
  ///
  /// - Parameter confirmed: how many ticks were, when it was asked.
  mutating func see(_ snapshot: LogSnapshot, confirmed: Int) {
    checkTicks(snapshot, confirmed)
    for (name, consumer) in snapshot.consumers { check(name, consumer, snapshot) }
    checkPlans(snapshot)
    checkRecords(snapshot)
    let enabled = Set(snapshot.consumers.filter { $0.value.isEnabled }.keys)
    if !mayBeEnabled.contains(enabled) { contradict("\(enabled) are enabled") }
    last = snapshot
  }

  private mutating func checkTicks(_ snapshot: LogSnapshot, _ confirmed: Int) {
    let head = snapshot.head
    if !(confirmed...max(confirmed, asked.count) ~= Int(head)) || head < last.head {
      return contradict("the head is \(head); \(confirmed) were confirmed, \(asked.count) asked")
    }
    if snapshot.trimmed < last.trimmed || snapshot.trimmed > min(head, aged) {
      return contradict("trimmed to \(snapshot.trimmed), old are those to \(aged)")
    }
    for offset in snapshot.trimmed + 1..<head + 1 where snapshot.rows[offset] != asked[Int(offset) - 1] {
      contradict("offset \(offset) is not there: trimmed to \(snapshot.trimmed), head \(head)")
    }
    if let beyond = snapshot.rows.keys.first(where: { $0 > head }) {
      contradict("\(beyond) is beyond the head")
    }
  }

  private mutating func check(
    _ name: ConsumerName, _ consumer: LogSnapshot.Reader, _ snapshot: LogSnapshot
  ) {
    let start = starts[name, default: consumer.next]
    if starts[name] == nil, start > snapshot.trimmed + 1 { contradict("\(name) begins at \(start)") }
    starts[name] = start
    if !(1...snapshot.head + 1 ~= consumer.next) { contradict("\(name) reads \(consumer.next) next") }
    let known = last.consumers[name]?.next ?? 1
    if consumer.next < min(known, seekingTo[name] ?? known) {
      contradict("\(name) went back from \(known) to \(consumer.next)")
    }
    // Behind the line is only what was planned before the consumer was disabled for a while.
    if consumer.isEnabled,
      let lost = (consumer.next..<max(consumer.next, snapshot.trimmed + 1)).first(where: { offset in
        !snapshot.skips(offset, of: name)
          && (name != .s3 || snapshot.plan(holding: offset)?.isShipped != false)
      })
    {
      contradict("\(lost) is trimmed, \(name) reads \(consumer.next) next")
    }
    for offset in start..<max(start, consumer.next) where !isSettled(offset, for: name, in: snapshot) {
      contradict("\(name) has passed \(offset), which is nowhere")
    }
    if name == .dynamodb, !sought.contains(name) {
      let expired = (start..<max(start, consumer.next)).filter {
        ModelTick($0).isExpired && !snapshot.skips($0, of: name)
      }
      if expired.count != consumer.expired {
        contradict("\(consumer.expired) counted as expired: \(expired)")
      }
    }
  }

  private mutating func checkPlans(_ snapshot: LogSnapshot) {
    let next = snapshot.consumers[.s3]?.next ?? 1
    var end: Int64 = 0
    for plan in snapshot.plans {
      let range = plan.range
      if plan.consumer != .s3 || range.lowerBound <= end { contradict("the plan of \(range) overlaps") }
      end = range.upperBound
      if end > snapshot.head { contradict("the plan of \(range) is beyond the head \(snapshot.head)") }
      if plan.isShipped, end >= next, !plan.key.isEmpty { contradict("\(range) is shipped, \(next) is next") }
      if !plan.isShipped, range.lowerBound < next { contradict("\(range) is open, \(next) is next") }
      // One that is disabled cannot hold the line.
      if plan.isShipped, range.lowerBound <= snapshot.trimmed, snapshot.trimmed < end,
        !hasPaused.contains(.s3)
      {
        contradict("\(range) is trimmed in part: to \(snapshot.trimmed)")
      }
      if !plan.isShipped, !range.allSatisfy({ snapshot.rows[$0] != nil }) {
        contradict("\(range) is open, and its ticks are gone")
      }
      check(plan)
      frozen[range.lowerBound] = plan
    }
    let open = snapshot.plans.filter { !$0.isShipped }.count
    if open > mayBeOpen, !sought.contains(.s3) { contradict("\(open) plans are open at a time") }
    let there = Set(snapshot.plans.map(\.range.lowerBound))
    for (first, plan) in frozen where !there.contains(first) && plan.range.upperBound > snapshot.trimmed {
      contradict("the plan of \(plan.range) is gone")
    }
  }

  private mutating func checkRecords(_ snapshot: LogSnapshot) {
    for (name, letters) in snapshot.letters {
      if Set(letters).count != letters.count { contradict("\(name) has two dead letters for one tick") }
      for offset in letters where name == .s3 || !ModelTick(offset).isRefused {
        contradict("\(name) has a dead letter for \(offset)")
      }
      if let ahead = letters.first(where: { $0 >= snapshot.consumers[name]?.next ?? 1 }), name != .s3 {
        contradict("\(name) has a dead letter for \(ahead), which it has not passed")
      }
    }
    for (name, ranges) in snapshot.skipped {
      let offsets = ranges.flatMap { Array($0) }
      if Set(offsets).count != offsets.count { contradict("\(name) skips a tick twice: \(ranges)") }
      if !Set(offsets).isSubset(of: maySkip[name, default: []]) { contradict("\(name) skips \(ranges)") }
    }
  }

  /// What must hold when everything was delivered and has grown old.
  mutating func checkTrimmed(_ snapshot: LogSnapshot) {
    if snapshot.trimmed != snapshot.head || !snapshot.rows.isEmpty || !snapshot.plans.isEmpty {
      contradict("\(snapshot.rows.count) ticks and \(snapshot.plans.count) plans are kept for ever")
    }
  }

  /// What must hold when everything was delivered.
  mutating func checkEnd(_ snapshot: LogSnapshot) {
    for (name, consumer) in snapshot.consumers where consumer.next != snapshot.head + 1 {
      contradict("\(name) reads \(consumer.next) next, the head is \(snapshot.head)")
    }
    for (key, object) in objects {
      guard let first = object.numbers.first, let plan = uploaded[first] else {
        contradict("\(key) was never planned")
        continue
      }
      if plan.key != key || !plan.hashes.contains(object.sha256) || object.numbers != Array(plan.range) {
        contradict("\(key) is not what was planned: \(plan)")
      }
    }
  }
}
