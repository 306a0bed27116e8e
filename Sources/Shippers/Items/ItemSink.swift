import AWS
import Base
import Logging
import Synchronization
import Ticks
import WAL

/// A tick of a page, or a row that could not be read.
struct ItemDelivery: Sendable {
  enum Content: Sendable {
    /// The page is shared by all of its ticks.
    case tick(TickBatch, index: Int)
    case bad(TickPage.BadRow)
  }

  let offset: Offset
  let content: Content
}

/// Writes one item for each tick, many at a time.
struct ItemSink: Sink {
  typealias Delivery = ItemDelivery

  let consumer: ConsumerName
  let retentionDays: Int
  let table: any ItemTable
  let tail: Tail
  let attempts: Attempts
  let pacing: ItemPacing

  var limit: Int { pacing.limit }
  // Many commits' worth of requests: neither a commit nor one slow request may hold the others up.
  var uncommittedLimit: Int { max(ItemSource.pageTicks, limit) }
  var readAhead: Int { limit }

  func makeSource(reader: LogReader, next: Offset) -> ItemSource {
    ItemSource(reader: reader, tail: tail, next: next)
  }

  func deliver(_ delivery: ItemDelivery) async throws -> Confirmation {
    switch delivery.content {
    case .bad(let row): return dead(delivery, cause: row.cause, attempts: 0, payload: row.payload)
    case .tick(let batch, let index): return try await deliver(delivery, batch, batch.entries[index])
    }
  }

  private func deliver(
    _ delivery: ItemDelivery, _ batch: TickBatch, _ tick: TickBatch.Entry
  ) async throws -> Confirmation {
    let ttl = ItemAttributes.ttl(receivedAt: tick.receivedAt, retentionDays: retentionDays)
    if try await table.hasPassed(ttl, wall: tail.clock.wall(), attempts: attempts) {
      return Confirmation(expired: 1)
    }
    var tries = 0
    while true {
      tries += 1
      let outcome = try await attempts.untilDone("write the item", key: "offset \(delivery.offset)") {
        try await write(batch, tick)
      }
      switch outcome {
      case .written(let bytes):
        pacing.accepted()
        return Confirmation(bytes: bytes)
      case .undecodable(let error):
        return dead(delivery, cause: "\(error)", attempts: tries, payload: Array(batch.bytes[tick.payload]))
      case .refused(let refusal):
        switch pacing.refused(refusal, keysAreRight: try await keysAreRight()) {
        case .deadLetter:
          return dead(
            delivery, cause: refusal.cause, attempts: tries, payload: Array(batch.bytes[tick.payload]))
        case .hold(let why):
          try await attempts.hold(
            "the table refuses items: shipping to it is held, no tick is given up; mend the table",
            ["why": "\(why)", "offset": "\(delivery.offset)", "error": "\(refusal.cause)"])
        }
      }
    }
  }

  private enum Outcome: Sendable {
    case written(bytes: Int)
    case refused(ItemRefusal)
    case undecodable(JSONError)
  }

  private func write(_ batch: TickBatch, _ tick: TickBatch.Entry) async throws -> Outcome {
    let request: ItemRequest
    do throws(JSONError) {
      request = try table.request(batch, tick, retentionDays: retentionDays)
    } catch {
      return .undecodable(error)
    }
    do {
      KillPoint.item.before()
      if let refusal = try await table.write(request) { return .refused(refusal) }
      KillPoint.item.after()
      return .written(bytes: request.byteCount)
    } catch let error as AWSError where error.kind == .throttled {
      pacing.throttled()
      throw error
    }
  }

  private func keysAreRight() async throws -> Bool {
    try await attempts.untilDone("describe the table", key: "\(consumer)") { try await table.hasRightKeys() }
  }

  private func dead(
    _ delivery: ItemDelivery, cause: String, attempts: Int, payload: [UInt8]
  ) -> Confirmation {
    Confirmation(
      deadLetters: [
        DeadLetter(
          offset: delivery.offset, consumer: consumer, cause: cause, attempts: attempts, payload: payload)
      ])
  }
}

/// What the deliveries of one item sink share: how many there may be, and how often the table refused.
final class ItemPacing: Sendable {
  private let state: Mutex<(limit: AdaptiveLimit, refusals: RefusalPolicy)>

  init(concurrency: Int) {
    state = Mutex((AdaptiveLimit(maximum: concurrency), RefusalPolicy()))
  }

  var limit: Int { state.withLock { $0.limit.value } }
  func throttled() { state.withLock { $0.limit.throttled() } }

  func accepted() {
    state.withLock { state in
      state.limit.succeeded()
      state.refusals.accepted()
    }
  }

  func refused(_ refusal: ItemRefusal, keysAreRight: Bool) -> RefusalPolicy.Verdict {
    state.withLock { $0.refusals.refused(refusal, keysAreRight: keysAreRight) }
  }
}

/// Reads pages of ticks for the item consumer.
actor ItemSource: DeliverySource {
  typealias Delivery = ItemDelivery

  private let reader: LogReader
  private let tail: Tail
  private var position: Offset

  /// Ticks read at a time; with their bytes they bound what a backlog takes of memory.
  static let pageTicks = 1_000

  init(reader: LogReader, tail: Tail, next: Offset) {
    self.reader = reader
    self.tail = tail
    position = next
  }

  func next() async throws -> [Prepared<ItemDelivery>] {
    while !tail.control.isStopping {
      // Asked before reading: what was appended before the drain began is in the page.
      let isDraining = tail.control.isDraining
      let page = try await reader.page(from: position, maximumTicks: Self.pageTicks)
      if let range = page.range {
        position = range.upperBound.next
        return deliveries(page)
      }
      if isDraining { return [] }
      try await tail.wait(beyond: position.previous)
    }
    return []
  }

  private func deliveries(_ page: TickPage) -> [Prepared<ItemDelivery>] {
    var deliveries = page.offsets.enumerated().map { index, offset in
      ItemDelivery(offset: offset, content: .tick(page.ticks, index: index))
    }
    if !page.bad.isEmpty {
      deliveries += page.bad.map { ItemDelivery(offset: $0.offset, content: .bad($0)) }
      deliveries.sort { $0.offset < $1.offset }
    }
    return deliveries.map { Prepared(range: $0.offset...$0.offset, delivery: $0) }
  }
}
