import Base
import Ticks
import WAL

/// The view of the items in a table.
struct ItemInventory<Table: ItemTable>: TickInventory {
  let table: Table
  let settings: ItemSettings

  /// An item, and the tick in the table's form.
  struct Expected: Sendable {
    let item: ExpectedItem
    let request: Table.Request
  }

  var place: String { settings.table }
  var keysAtATime: Int { ItemKey.mostAtATime }

  func expected(_ batch: TickBatch, _ tick: TickBatch.Entry, at offset: Offset) -> Expected? {
    do {
      return Expected(
        item: try ExpectedItem(batch, tick, retentionDays: settings.retentionDays),
        request: try table.request(batch, tick, retentionDays: settings.retentionDays))
    } catch {
      return nil
    }
  }

  func key(_ expected: Expected) -> ItemKey { expected.item.key }

  func name(_ expected: Expected) -> String? {
    "\(expected.item.key.streamType) \(expected.item.key.isoTimestamp)"
  }

  func found(under keys: [ItemKey]) async throws -> [ItemKey: [ItemAttributes.Name: String]] {
    try await table.items(under: keys)
  }

  func compare(_ expected: Expected, with found: [ItemAttributes.Name: String]) -> TickMatch {
    switch expected.item.compared(with: found) {
    case .agrees: .agrees
    case .agreesButTTL: .agreesButTTL
    case .differs(let names): .differs(names.map(\.text))
    }
  }

  func hasExpired(_ expected: Expected, wall: Int64, attempts: Attempts) async throws -> Bool {
    try await table.hasPassed(expected.item.ttl, wall: wall, attempts: attempts)
  }

  func write(_ expected: Expected) async throws -> String? {
    try await table.write(expected.request)?.cause
  }

  func close() async throws { try await table.close() }
}
