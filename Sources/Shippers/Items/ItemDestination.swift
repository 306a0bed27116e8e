import WAL

/// A destination of items in a table: one for each tick, written again without harm.
struct ItemDestination<Table: ItemTable>: Destination {
  let consumer: ConsumerKind
  let settings: ItemSettings
  let address: String
  let table: Table

  init(_ name: ConsumerName, _ settings: ItemSettings, _ address: some DestinationAddress, table: Table) {
    consumer = ConsumerKind(name: name, shipsInBatches: false)
    self.settings = settings
    self.address = address.json
    self.table = table
  }

  var unit: String { "items" }
  var retention: Duration? { .seconds(settings.retentionDays * 86_400) }
  var inventory: Inventory? { .ticks(ItemInventory(table: table, settings: settings)) }

  func ship(from next: Offset, _ context: ShippingContext) async throws {
    try await context.withReader { reader in
      if let table = table.inBatches {
        try await ship(batchesTo: table, reader, from: next, context)
      } else {
        try await context.ship(
          sink(table, requests: settings.concurrency, context), reader: reader, next: next)
      }
    }
  }

  private func ship(
    batchesTo table: some ItemBatchTable, _ reader: LogReader, from next: Offset, _ context: ShippingContext
  ) async throws {
    let sink = ItemBatchSink(
      single: sink(table, requests: min(settings.concurrency, ItemBatch.mostUncommitted), context))
    try await context.ship(sink, reader: reader, next: next)
  }

  private func sink<Place: ItemTable>(
    _ table: Place, requests: Int, _ context: ShippingContext
  ) -> ItemSink<Place> {
    ItemSink(
      consumer: consumer.name, retentionDays: settings.retentionDays, table: table, tail: context.tail,
      attempts: context.attempts, pacing: ItemPacing(concurrency: requests))
  }

  func look(writes: Bool) async throws -> [DoctorFinding] {
    let found = try await table.look()
    do {
      try await table.close()
    } catch {
      return found + [.failed("close", "\(error)")]
    }
    return found
  }

  func redeliver(_ page: TickPage, of logID: LogID, wall: Int64) async throws -> Redelivery {
    try await table.redeliver(page, retentionDays: settings.retentionDays, wall: wall)
  }

  func replay(_ replay: Replay) async throws -> Replay.Outcome {
    try await ItemReplay(replay: replay, table: table, settings: settings).run()
  }
}
