import AWS
import Base
import Logging
import Ticks
import WAL

/// Writes one item for each tick, many at a time.
struct ItemSink<Table: ItemTable>: Sink {
  typealias Delivery = TickDelivery

  let consumer: ConsumerName
  let retentionDays: Int
  let table: Table
  let tail: Tail
  let attempts: Attempts
  let pacing: ItemPacing
  let turns = KeyTurns()

  var limit: Int { pacing.limit }
  // Many commits' worth of requests: neither a commit nor one slow request may hold the others up.
  var uncommittedLimit: Int { max(TickSource.pageTicks, limit) }
  var readAhead: Int { limit }
  // A tick's request is made in some microseconds, and sent by curl's thread.
  var staysOnReader: Bool { true }

  func makeSource(reader: LogReader, next: Offset) -> TickSource {
    TickSource(reader: reader, tail: tail, next: next)
  }

  func deliver(_ delivery: TickDelivery) async throws -> Confirmation {
    switch delivery.content {
    case .bad(let row): return dead(delivery, cause: row.cause, attempts: 0, payload: row.payload)
    case .tick(let batch, let index):
      try await turns.turn(of: delivery.offset)
      return try await deliver(delivery, batch, batch.entries[index])
    }
  }

  func start(_ delivery: TickDelivery, isPatient: Bool, _ completion: @escaping @Sendable (FirstTry) -> Wake?)
    -> CallOff?
  {
    guard case .tick(let batch, let index) = delivery.content else { return nil }
    let tick = batch.entries[index]
    let (key, request): (Int, Table.Request)
    do throws(ItemFlaw) {
      (key, request) = try table.keyedRequest(batch, tick, retentionDays: retentionDays)
    } catch {
      return nil
    }
    // Also for one that is not begun here: this alone is called in the order of offsets.
    guard turns.enter(delivery.offset, key: key) else { return nil }
    guard isAlive(receivedAt: tick.receivedAt) else { return nil }
    KillPoint.item.before()
    return table.submit(request, isPatient: isPatient) { result in
      guard case .success(nil) = result else {
        return completion(.open { try await deliver(delivery, batch, tick, after: result) })
      }
      KillPoint.item.after()
      accepted()
      attempts.reporter.succeeded()
      turns.leave(delivery.offset)
      return completion(.confirmed(Self.written(tick)))
    }
  }

  /// - Parameter first: what a first try has come to that was made already.
  private func deliver(
    _ delivery: TickDelivery, _ batch: TickBatch, _ tick: TickBatch.Entry,
    after first: Result<ItemRefusal?, any Error>? = nil
  ) async throws -> Confirmation {
    defer { turns.leave(delivery.offset) }
    if try await hasExpired(tick) { return Confirmation(expired: 1) }
    var tries = 0
    var made = first
    while true {
      tries += 1
      let outcome = try await attempts.untilDone("write the item", key: "offset \(delivery.offset)") {
        defer { made = nil }
        return try await write(batch, tick, made)
      }
      switch outcome {
      case .written:
        accepted()
        return Self.written(tick)
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
            [
              "why": "\(why)", "offset": .stringConvertible(delivery.offset.rawValue),
              "error": "\(refusal.cause)",
            ])
        }
      }
    }
  }

  /// Whether a tick's TTL is certainly not over, so that nobody need be asked. Microseconds since 1970, UTC.
  func isAlive(receivedAt: Int64) -> Bool {
    let ttl = ItemAttributes.ttl(receivedAt: receivedAt, retentionDays: retentionDays)
    return table.clock.isAlive(ttl, own: tail.clock.wall() / 1_000_000)
  }

  func hasExpired(_ tick: TickBatch.Entry) async throws -> Bool {
    let ttl = ItemAttributes.ttl(receivedAt: tick.receivedAt, retentionDays: retentionDays)
    return try await table.hasPassed(ttl, wall: tail.clock.wall(), attempts: attempts)
  }

  private static func written(_ tick: TickBatch.Entry) -> Confirmation {
    Confirmation(
      sent: Confirmation.Sent(bytes: tick.payload.count, receivedAt: tick.receivedAt, isObject: false))
  }

  /// The table has taken what a request held.
  func accepted() {
    let deadLetters = pacing.accepted()
    guard deadLetters > 0 else { return }
    attempts.reporter.say(
      "the table takes items again; those that it refused before are dead letters and wait for `tickwal dead-letters retry`",
      ["count": .stringConvertible(deadLetters)])
  }

  private enum Outcome: Sendable {
    case written
    case refused(ItemRefusal)
    case undecodable(ItemFlaw)
  }

  private func write(
    _ batch: TickBatch, _ tick: TickBatch.Entry, _ made: Result<ItemRefusal?, any Error>?
  ) async throws -> Outcome {
    do {
      if let made {
        if let refusal = try made.get() { return .refused(refusal) }
        return .written
      }
      let request: Table.Request
      do throws(ItemFlaw) {
        request = try table.request(batch, tick, retentionDays: retentionDays)
      } catch {
        return .undecodable(error)
      }
      KillPoint.item.before()
      if let refusal = try await table.write(request) { return .refused(refusal) }
      KillPoint.item.after()
      return .written
    } catch let error as AWSError where error.kind == .throttled {
      pacing.throttled()
      throw error
    }
  }

  private func keysAreRight() async throws -> Bool {
    try await attempts.untilDone("describe the table", key: "\(consumer)") { try await table.hasRightKeys() }
  }

  private func dead(
    _ delivery: TickDelivery, cause: String, attempts: Int, payload: [UInt8]
  ) -> Confirmation {
    Confirmation(
      deadLetters: [
        DeadLetter(
          offset: delivery.offset, consumer: consumer, cause: cause, attempts: attempts, payload: payload)
      ])
  }
}
