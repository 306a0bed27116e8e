import Base
import ShippingFixtures

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
  var last = LogSnapshot()
  /// Where a consumer began.
  var starts: [ConsumerName: Int64] = [:]
  /// The lowest offset that a seek under way may bring a consumer to.
  private(set) var seekingTo: [ConsumerName: Int64] = [:]
  private(set) var sought: Set<ConsumerName> = []
  /// Those that were disabled for a while.
  private(set) var hasPaused: Set<ConsumerName> = []
  private(set) var mayBeOpen = 0
  /// What may be recorded as skipped, and the sets of consumers that may be enabled.
  private(set) var maySkip: [ConsumerName: Set<Int64>] = [:]
  private(set) var mayBeEnabled: [Set<ConsumerName>] = [[]]
  /// Every plan ever seen, by its first offset.
  var frozen: [Int64: LogSnapshot.Plan] = [:]
  /// The plans that uploads were made for.
  private(set) var uploaded: [Int64: LogSnapshot.Plan] = [:]

  // MARK: Outside

  private(set) var objects: [String: Object] = [:]
  /// Which object an offset is in.
  private(set) var keys: [Int64: String] = [:]
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

  /// - Parameter concurrency: how many plans of s3 may be open beside those that are open already.
  mutating func ask(enable consumers: Set<ConsumerName>, concurrency: Int) {
    mayBeEnabled.append(consumers)
    hasPaused.formUnion(last.consumers.keys.filter { !consumers.contains($0) })
    mayBeOpen = concurrency + last.plans.filter { !$0.isShipped }.count
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
  mutating func check(_ plan: LogSnapshot.Plan) {
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
}
