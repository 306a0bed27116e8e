import Base
import Ticks
import WAL

/// What became of a dead letter whose tick was delivered again.
package enum Redelivery: Sendable, Equatable {
  /// The sink has confirmed it.
  case delivered
  /// Not written, because its TTL has passed.
  case expired
  /// The sink, or the log, says again that it cannot be; why.
  case refused(String)
  /// It could not be found out; why.
  case untried(String)
}

extension Shipping {
  /// Delivers the tick of a dead letter to its consumer, once. Moves no consumer and writes nothing to the log.
  ///
  /// - Throws: `CancellationError`; the log's errors.
  package func redeliver(
    _ letter: DeadLetter, reader: LogReader, clock: ShippingClock = .system
  ) async throws -> Redelivery {
    guard let offset = letter.offset, let member = member(of: letter.consumer) else {
      return .untried("this process does not deliver to \(letter.consumer)")
    }
    let stored = try await reader.consumers().first { $0.name == letter.consumer }?.destination
    guard stored == member.request.destination else {
      return .untried(
        "\(letter.consumer) delivers to \(stored ?? "nowhere"), and the settings say \(member.request.destination)"
      )
    }
    let page: TickPage
    do {
      page = try await reader.page(from: offset, through: offset, maximumTicks: 1)
    } catch let error as LogError where error.code == .notFound {
      return .untried("its tick is not kept any more; its payload is all there is")
    }
    do {
      return try await member.redeliver(page, clock.wall())
    } catch let error as LogError {
      throw error
    } catch {
      try Task.checkCancellation()
      return .untried("\(error)")
    }
  }
}

extension ItemTable {
  /// - Parameter wall: our clock, microseconds since 1970, UTC.
  /// - Throws: what is worth another try, later.
  func redeliver(_ page: TickPage, retentionDays: Int, wall: Int64) async throws -> Redelivery {
    guard let tick = page.ticks.entries.first else {
      return .refused(page.bad.first?.cause ?? "the log ends before it")
    }
    let ttl = ItemAttributes.ttl(receivedAt: tick.receivedAt, retentionDays: retentionDays)
    if clock != nil || ttl <= wall / 1_000_000 {
      let now = if let clock { clock } else { try await askClock() }
      if ttl <= now { return .expired }
    }
    do {
      let refusal = try await write(try request(page.ticks, tick, retentionDays: retentionDays))
      guard let refusal else { return .delivered }
      return refusal.concernsKeySchema
        ? .untried("the table's keys are not the right ones: \(refusal.cause)") : .refused(refusal.cause)
    } catch let error as JSONError {
      return .refused("\(error)")
    }
  }
}
