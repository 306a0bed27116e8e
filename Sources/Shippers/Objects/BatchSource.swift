import Base
import Ticks
import WAL

/// Cuts the log into batches: first the ones that were planned before, then new ones.
actor BatchSource: DeliverySource {
  typealias Delivery = ObjectDelivery

  private let reader: LogReader
  private let consumer: ConsumerName
  private let settings: ObjectSettings
  private let tail: Tail
  private let clock: ShippingClock
  private var position: Offset
  private var mayHavePlans = true

  init(reader: LogReader, consumer: ConsumerName, settings: ObjectSettings, tail: Tail, next: Offset) {
    self.reader = reader
    self.consumer = consumer
    self.settings = settings
    self.tail = tail
    clock = tail.clock
    position = next
  }

  func next() async throws -> [Prepared<ObjectDelivery>] {
    guard let prepared = try await prepare() else { return [] }
    position = prepared.range.upperBound.next
    return [prepared]
  }

  private func prepare() async throws -> Prepared<ObjectDelivery>? {
    guard mayHavePlans else { return try await cut(through: nil) }
    guard let plan = try await reader.plan(of: consumer, from: position) else {
      mayHavePlans = false
      return try await cut(through: nil)
    }
    if plan.range.lowerBound > position {
      return try await cut(through: plan.range.lowerBound.previous)
    }
    if plan.state == .shipped { return Prepared(range: plan.range, delivery: .shipped) }
    let batch = try await BuiltBatch.rebuild(plan, from: reader, settings: settings)
    return Prepared(range: plan.range, delivery: .planned(plan, batch))
  }

  // MARK: New batches

  /// The count of ticks for which a batch that has some waits at the head of the log.
  private static let awaitedTicks = 1_000

  /// Fills a batch until it is full, has waited long enough at the head, or the shipper is to drain.
  ///
  /// - Parameter last: where a plan follows; the batch ends there at the latest.
  private func cut(through last: Offset?) async throws -> Prepared<ObjectDelivery>? {
    var builder = BatchBuilder(first: position, settings: settings)
    var deadline: Duration?
    while !tail.control.isStopping {
      // Asked before reading: what was appended before the drain began is in the page.
      let isDraining = tail.control.isDraining
      let page = try await reader.page(from: builder.next, through: last, maximumTicks: builder.room)
      if deadline == nil, let receivedAt = page.ticks.entries.first?.receivedAt {
        deadline = clock.now() + remainingWait(receivedAt: receivedAt)
      }
      let isCut = try builder.add(page, respectsLimits: true)
      if isCut || (last.map { builder.next > $0 } ?? false) { return finish(builder) }
      guard builder.next > page.head else { continue }
      let wait = deadline.map { $0 - clock.now() }
      if !builder.isEmpty, isDraining || (wait ?? .zero) <= .zero { return finish(builder) }
      if isDraining { return nil }
      // As long as the batch is not full only its deadline matters; a page for each commit would cost far more.
      let awaited = builder.isEmpty ? 1 : min(builder.room, Self.awaitedTicks)
      try await tail.wait(beyond: builder.next.advanced(by: awaited - 1).previous, atMost: wait)
    }
    return nil
  }

  private func finish(_ builder: consuming BatchBuilder) -> Prepared<ObjectDelivery> {
    let batch = builder.cut()
    return Prepared(range: batch.range, delivery: .new(batch))
  }

  /// The rest of `MAX_BATCH_TIMEOUT` for a batch whose first row was received at that time. The wall clock only
  /// places a row from before this start; a clock that was set can neither hold a batch back nor hurry it by
  /// more than the timeout.
  private func remainingWait(receivedAt: Int64) -> Duration {
    let age = Duration.microseconds(clock.wall().subtractingSaturated(receivedAt))
    return max(.zero, min(settings.maximumWait, settings.maximumWait - age))
  }
}

extension BuiltBatch {
  /// Builds the batch of a plan again, as its key says.
  static func rebuild(
    _ plan: BatchPlan, from reader: LogReader, settings: ObjectSettings
  ) async throws -> BuiltBatch {
    let range = plan.range
    let settings = plan.key.isEmpty ? settings : settings.fitting(key: plan.key)
    var builder = BatchBuilder(first: range.lowerBound, settings: settings)
    while builder.next <= range.upperBound {
      let page = try await reader.page(
        from: builder.next, through: range.upperBound, maximumTicks: settings.maximumRows)
      guard page.range != nil else {
        throw LogError(
          .notFound, "the log ends before offset \(Figures.grouped(range.upperBound)), which was planned")
      }
      _ = try builder.add(page, respectsLimits: false)
    }
    return builder.finish()
  }
}

extension BatchBuilder {
  /// Offers a page's rows, good and bad, in order.
  /// - Returns: whether the batch ends here.
  mutating func add(_ page: TickPage, respectsLimits: Bool) throws -> Bool {
    var bad = page.bad[...]
    var index = 0
    var isCut = false
    page.ticks.bytes.withUnsafeBufferPointer { bytes in
      while !isCut {
        let outcome: Outcome
        if let row = bad.first, row.offset == next {
          bad.removeFirst()
          outcome = addBad(row)
        } else if index < page.offsets.count {
          let entry = page.ticks.entries[index]
          index += 1
          outcome = add(
            receivedAt: entry.receivedAt, stream: UnsafeBufferPointer(rebasing: bytes[entry.stream]),
            payload: UnsafeBufferPointer(rebasing: bytes[entry.payload]), respectsLimits: respectsLimits)
        } else {
          return
        }
        switch outcome {
        case .taken: break
        case .full: isCut = respectsLimits
        case .cutBefore: isCut = true
        }
      }
    }
    return isCut
  }
}
