import Base
import ShippingFixtures

@testable import Shippers
@testable import WAL

// The promises, as they can be told from a snapshot of the log and what has arrived outside.

extension DeliveryModel {
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
