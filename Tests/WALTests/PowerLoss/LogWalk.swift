import TestSupport

@testable import WAL

/// A random walk over what is done to a log, with the model that says what the log holds after each step.
struct LogWalk: Sendable {
  enum Step: Sendable {
    case enable
    case append(count: Int, padding: Int)
    case reject
    /// A plan for so many offsets after those planned.
    case plan(length: Int)
    /// The sink confirmed so many of the open batches, the first ones.
    case ship(Range<Int>)
    case commit(next: Int64)
    case bury(offset: Int64)
    case openGap
    case closeGap(id: Int64)
  }

  /// What the log holds if nothing is trimmed beyond what was when the walk began.
  private(set) var model: LogContents
  /// The last tick that is old by now.
  private(set) var aged: Int64 = 0
  private var random: SplitMix64

  init(seed: UInt64, from model: LogContents = LogContents()) {
    self.model = model
    random = SplitMix64(seed: seed)
  }

  private var firstUnplanned: Int64 {
    max(model.batches.last?.last ?? 0, model.consumers["s3", default: 1] - 1) + 1
  }
  private var openBatches: [Int] { model.batches.indices.filter { !model.batches[$0].isShipped } }
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
    case 2 where firstUnplanned <= model.head && openBatches.count < 4:
      let most = Int(model.head - firstUnplanned) + 1
      return .plan(length: Int.random(in: 1...max(1, most), using: &random))
    case 3, 4:
      if let first = openBatches.first {
        return .ship(first..<first + Int.random(in: 1...openBatches.count, using: &random))
      }
    case 5 where next <= model.head:
      return .commit(next: Int64.random(in: next...model.head, using: &random) + 1)
    case 6 where next <= model.head: return .bury(offset: next)
    default: break
    }
    return .append(
      count: Int.random(in: 1...12, using: &random),
      padding: Int.random(in: 0..<8, using: &random) == 0 ? 9_000 : Int.random(in: 0..<200, using: &random))
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
    case .plan(let length):
      let first = firstUnplanned
      let last = min(model.head, first + Int64(length) - 1)
      model.batches.append(LogContents.Batch(first: first, last: last, isShipped: false))
    case .ship(let batches):
      for batch in batches { model.batches[batch].isShipped = true }
      model.consumers["s3"] = LogWalk.shipped(model)
    case .commit(let next): model.consumers["dynamodb"] = next
    case .bury(let offset):
      model.letters.append(offset)
      model.consumers["dynamodb"] = offset + 1
    case .openGap:
      model.gaps.append(LogContents.Gap(startedAt: someTime + Int64(model.revision), endedAt: nil))
    case .closeGap(let id): model.gaps[Int(id) - 1].endedAt = someTime + Int64(model.revision)
    }
  }

  private static func ticks(_ count: Int, after head: Int64, padding: Int) -> TickBatch {
    WALTests.ticks(count, from: Int(head) + 1, padding: padding)
  }

  /// The next offset after the shipped batches at the beginning.
  private static func shipped(_ model: LogContents) -> Int64 {
    model.batches.prefix(while: \.isShipped).last.map { $0.last + 1 } ?? model.consumers["s3", default: 1]
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
    case .plan:
      if let batch = model.batches.last { try transaction.plan(plan(batch)) }
    case .ship(let batches):
      for batch in batches { try transaction.markShipped(plan(model.batches[batch])) }
      try transaction.commit(s3, next: Offset(rawValue: shipped(model)))
    case .commit(let next):
      try transaction.commit(dynamo, next: Offset(rawValue: next))
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
