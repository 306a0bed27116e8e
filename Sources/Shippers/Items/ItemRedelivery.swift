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
    let hasPassed = try await clock.hasPassed(ttl, own: wall / 1_000_000) {
      try await askDate()
    } say: { _ in
    }
    if hasPassed { return .expired }
    do {
      let refusal = try await write(try request(page.ticks, tick, retentionDays: retentionDays))
      guard let refusal else { return .delivered }
      switch refusal.blame {
      case .keys: return .untried("the table's keys are not the right ones: \(refusal.cause)")
      case .index: return .untried("an index of the table does not take the item: \(refusal.cause)")
      case .item, .value: return .refused(refusal.cause)
      }
    } catch let error as ItemFlaw {
      return .refused("\(error)")
    }
  }
}
