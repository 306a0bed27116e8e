import Base
import LogFixtures
import TestSupport

@testable import WAL

/// A random walk over what is done to a log, with the model that says what the log holds after each step.
struct LogWalk: Sendable {
  enum Step: Sendable {
    case enable
    case append(count: Int, padding: Int)
    case reject
    /// The first offsets that are in no batch are to be one.
    case plan(LogContents.Batch)
    /// The sink confirmed open batches, the first ones.
    case ship(Range<Int>)
    case commit(next: Int64)
    /// To where the batch begins that holds what was asked for.
    case seek(ConsumerName, offset: Int64, landing: Int64)
    case bury(offset: Int64)
    case openGap
    case closeGap(id: Int64)
  }

  /// What the log holds if nothing is trimmed beyond what was when the walk began.
  private(set) var model: LogContents
  /// The last tick that is old by now.
  private(set) var aged: Int64
  private var random: SplitMix64

  /// - Parameter aged: the last tick that is old already.
  init(seed: UInt64, from model: LogContents = LogContents(), aged: Int64 = 0) {
    self.model = model
    self.aged = aged
    random = SplitMix64(seed: seed)
  }

  private var openBatches: Range<Int> {
    // Those that follow one another from the first that s3 reads next.
    let first = model.batches.firstIndex { $0.first == model.consumers["s3"] } ?? 0
    var (end, next) = (first, model.consumers["s3", default: 1])
    while end < model.batches.count, model.batches[end].first == next {
      next = model.batches[end].last + 1
      end += 1
    }
    return first..<end
  }

  /// The first offsets that s3 has yet to cut: up to the head, or the next batch.
  private var unplanned: ClosedRange<Int64>? {
    var first = model.consumers["s3", default: 1]
    for batch in model.batches where batch.last >= first {
      if batch.first > first { return first...batch.first - 1 }
      first = batch.last + 1
    }
    return first <= model.head ? first...model.head : nil
  }

  private var next: Int64 { model.consumers["dynamodb"] ?? 1 }

  /// Decides what is done next, and does it to the model.
  mutating func step() -> Step {
    let step = choose()
    apply(step)
    return step
  }

  /// Whether it is time to trim. Then all that is there is old.
  mutating func grow() -> Bool {
    guard Int.random(in: 0..<3, using: &random) == 0 else { return false }
    aged = model.head
    return true
  }

  private mutating func choose() -> Step {
    if model.consumers.isEmpty { return .enable }
    switch Int.random(in: 0..<12, using: &random) {
    case 0 where model.gaps.last.map { $0.endedAt != nil } ?? true: return .openGap
    case 0: return .closeGap(id: Int64(model.gaps.count))
    case 1: return .reject
    case 2 where openBatches.count < 4:
      if let range = unplanned {
        let last = Int64.random(in: range, using: &random)
        return .plan(LogContents.Batch(first: range.lowerBound, last: last, isShipped: false))
      }
    case 3, 4:
      let open = openBatches
      if !open.isEmpty { return .ship(open.prefix(Int.random(in: 1...open.count, using: &random))) }
    case 5 where next <= model.head:
      return .commit(next: Int64.random(in: next...model.head, using: &random) + 1)
    case 6 where next <= model.head: return .bury(offset: next)
    case 7: return seek()
    default: break
    }
    return .append(
      count: Int.random(in: 1...12, using: &random),
      padding: Int.random(in: 0..<8, using: &random) == 0 ? 9_000 : Int.random(in: 0..<200, using: &random))
  }

  private mutating func seek() -> Step {
    let consumer = Bool.random(using: &random) ? s3 : dynamo
    // More may not have been trimmed by now.
    let oldest = model.lastTrimmable(aged: aged) + 1
    let offset = Int64.random(in: oldest...model.head + 1, using: &random)
    let batch = consumer == s3 ? model.batches.first { $0.first <= offset && offset <= $0.last } : nil
    return .seek(consumer, offset: offset, landing: batch?.first ?? offset)
  }

  private mutating func apply(_ step: Step) {
    model.revision += 1
    switch step {
    case .enable:
      for name in ["s3", "dynamodb"] { model.consumers[name] = 1 }
    case .append(let count, let padding):
      for line in lines(LogWalk.ticks(count, after: model.head, padding: padding)) {
        model.head += 1
        model.ticks[model.head] = line
      }
    case .reject: model.letters.append(0)
    case .plan(let batch):
      model.batches.append(batch)
      model.batches.sort { $0.first < $1.first }
    case .ship(let batches):
      for batch in batches {
        model.batches[batch].isShipped = true
        model.consumers["s3"] = model.batches[batch].last + 1
      }
    case .seek(let consumer, _, let landing): move(consumer, to: landing)
    case .commit(let next): model.consumers["dynamodb"] = next
    case .bury(let offset):
      model.letters.append(offset)
      model.consumers["dynamodb"] = offset + 1
    case .openGap:
      model.gaps.append(LogContents.Gap(startedAt: someTime + Int64(model.revision), endedAt: nil))
    case .closeGap(let id): model.gaps[Int(id) - 1].endedAt = someTime + Int64(model.revision)
    }
  }

  private mutating func move(_ consumer: ConsumerName, to landing: Int64) {
    let name = consumer.rawValue
    let next = model.consumers[name, default: 1]
    let passed = min(landing, next)..<max(landing, next)
    if consumer == s3 {
      for index in model.batches.indices where passed.contains(model.batches[index].first) {
        model.batches[index].isShipped = landing > next
      }
    } else if landing < next {
      model.letters.removeAll { $0 >= landing }
    }
    var skipped = model.skipped[name, default: []]
    skipped = landing > next ? skipped.union(passed) : skipped.filter { $0 < landing }
    model.skipped[name] = skipped.isEmpty ? nil : skipped
    model.consumers[name] = landing
  }

  private static func ticks(_ count: Int, after head: Int64, padding: Int) -> TickBatch {
    LogFixtures.ticks(count, from: Int(head) + 1, padding: padding)
  }

  // MARK: Doing it to a log

  /// The request for a step.
  ///
  /// - Parameter model: what the log holds after it.
  static func request(
    for step: Step, after model: LogContents
  ) -> (ticks: TickBatch, rejected: [RejectedInput], body: @Sendable (WriteTransaction) throws -> Void) {
    var ticks = TickBatch()
    var rejected: [RejectedInput] = []
    switch step {
    case .append(let count, let padding):
      ticks = LogWalk.ticks(count, after: model.head - Int64(count), padding: padding)
    case .reject: rejected = [RejectedInput(payload: [1, 2, 3], cause: "no JSON")]
    default: break
    }
    return (ticks, rejected, { try perform(step, after: model, in: $0) })
  }

  private static func perform(
    _ step: Step, after model: LogContents, in transaction: WriteTransaction
  ) throws {
    try transaction.setMeta("revision", "\(model.revision)")
    let time = someTime + Int64(model.revision)
    switch step {
    case .append, .reject: break
    case .enable:
      for name in ["s3", "dynamodb"] {
        try transaction.connection.run(
          "INSERT INTO consumers VALUES (?, 1, '{}', ?, 1, 0)", .text(name), .int(transaction.now))
      }
    case .plan(let batch): try transaction.plan(plan(batch))
    case .ship(let batches):
      for batch in batches { try transaction.markShipped(plan(model.batches[batch])) }
      try transaction.commit(s3, next: Offset(rawValue: model.consumers["s3", default: 1]))
    case .commit(let next):
      try transaction.commit(dynamo, next: Offset(rawValue: next))
    case .seek(let consumer, let offset, let landing):
      let outcome = try transaction.seek(
        SeekRequest(consumer: consumer, offset: Offset(rawValue: offset), maySkip: true))
      guard outcome.to.rawValue == landing else { throw LogError(.failed, "landed at \(outcome)") }
    case .bury(let offset):
      try transaction.add(
        DeadLetter(
          offset: Offset(rawValue: offset), consumer: dynamo, cause: "refused", attempts: 1, payload: [4]))
      try transaction.commit(dynamo, next: Offset(rawValue: offset + 1))
    case .openGap: _ = try transaction.openGap(startedAt: time, cause: .closed, streams: ["btcusdt@trade"])
    case .closeGap(let id): try transaction.closeGap(Gap.ID(rawValue: id), endedAt: time)
    }
  }

  private static func plan(_ batch: LogContents.Batch) -> BatchPlan {
    let number = String(batch.first, radix: 16)
    return BatchPlan(
      consumer: s3, range: offsets(batch.first...batch.last), destination: "{}", bucket: "b",
      key: "k-\(batch.first)-\(batch.last).jsonl", rows: Int(batch.last - batch.first) + 1,
      sha256: String(repeating: "0", count: 64 - number.count) + number)
  }
}
