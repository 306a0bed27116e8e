import Base
import Ticks
import WAL

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
