import WAL

/// The source of a consumer that writes several items with one request: what a page has, however few that are, so
/// that a single tick waits for others no longer than ``PageSource`` does.
struct ItemBatchSource<Table: ItemBatchTable>: DeliverySource {
  typealias Delivery = ItemBatch

  let ticks: TickSource
  let table: Table
  let retentionDays: Int

  func next() async throws -> [Prepared<ItemBatch>] {
    ItemBatch.cut(try await ticks.next(), put: put)
  }

  private func put(_ delivery: TickDelivery) -> ItemBatch.Put? {
    guard case .tick(let batch, let index) = delivery.content else { return nil }
    do throws(ItemFlaw) {
      let (key, body) = try table.keyed(batch, batch.entries[index], retentionDays: retentionDays, table.put)
      return ItemBatch.Put(offset: delivery.offset, ticks: batch, index: index, key: key, body: body)
    } catch {
      // Said when its turn comes.
      return nil
    }
  }
}
