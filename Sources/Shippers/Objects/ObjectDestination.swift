import Base
import WAL

/// A destination of objects in a store: batches under planned keys, each offset in exactly one of them.
struct ObjectDestination: Destination {
  let consumer: ConsumerKind
  let settings: ObjectSettings
  let address: String
  let store: any ObjectStore
  /// Opens the place that an older plan was made for; `nil` if that place cannot be reached from here.
  let openStore: @Sendable (_ address: String) throws -> (any ObjectStore)?

  init(
    _ name: ConsumerName, _ settings: ObjectSettings, _ address: some DestinationAddress,
    store: any ObjectStore, openStore: @escaping @Sendable (_ address: String) throws -> (any ObjectStore)?
  ) {
    consumer = ConsumerKind(name: name, shipsInBatches: true)
    self.settings = settings
    self.address = address.json
    self.store = store
    self.openStore = openStore
  }

  var unit: String { "objects" }
  var batchWait: Duration { settings.maximumWait }

  var inventory: Inventory? {
    .objects(ObjectInventory(store: store, openStore: openStore, settings: settings, address: address))
  }

  func ship(from next: Offset, _ context: ShippingContext) async throws {
    try await context.withReader { reader in
      let logID = try await reader.logID()
      try await context.withReader { gapReader in
        try await ship(from: next, context, logID, reader: reader, beside: gapReader)
      }
    }
  }

  /// - Parameter other: a reader that the data does not wait for.
  private func ship(
    from next: Offset, _ context: ShippingContext, _ logID: LogID, reader: LogReader, beside other: LogReader
  ) async throws {
    let name = consumer.name
    let reporter = FleetReporter(
      consumer: name, logID: logID, process: context.process, settings: settings, store: store,
      reader: other, clock: context.clock)
    let lease = Lease(
      consumer: name, logID: logID, settings: settings, address: address,
      // Shipped plans may have been trimmed.
      highestPlanned: max(
        try await reader.highestPlanned(of: name), try await reader.highestPassed(by: name)),
      store: store, log: context.log, receivedAt: { try await reader.receivedAt(from: $0) },
      attempts: context.attempts, clock: context.clock, reporter: reporter)
    let sink = ObjectSink(
      consumer: name, settings: settings, address: address, store: store, openStore: openStore,
      log: context.log, logID: logID, tail: context.tail, attempts: context.attempts, lease: lease)
    let gaps = GapShipper(
      consumer: name, settings: settings, address: address, store: store, log: context.log,
      logID: logID, reader: other, lease: lease, attempts: context.attempts(at: "gaps"),
      clock: context.clock)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await lease.keep() }
      group.addTask { try await gaps.keepWriting() }
      group.addTask { try await reporter.keepList(lease, context.attempts(at: "streams")) }
      try await context.ship(sink, reader: reader, next: next)
      group.cancelAll()
    }
    try await gaps.writeLast(logger: context.logger)
    await reporter.writeLastList(lease, logger: context.logger)
    await lease.writeLast(logger: context.logger)
  }

  func look(writes: Bool) async throws -> [DoctorFinding] {
    let folder = settings.folder.isEmpty ? "" : settings.folder + "/"
    return try await store.look(
      key: "\(folder)_logs/doctor.json", object: emptyObject(under: "\(folder)_logs/doctor.jsonl"),
      writes: writes)
  }

  /// An object as a batch's, without a row.
  private func emptyObject(under key: String) -> NewObject {
    var builder = BatchBuilder(first: .first, settings: settings)
    _ = builder.addBad(TickPage.BadRow(offset: .first, cause: "", payload: []))
    let batch = builder.finish()
    return NewObject(
      batch, key: batch.isCompressed ? key + ObjectKey.gzipSuffix : key,
      logID: LogID(rawValue: "0000000000000000"))
  }

  func redeliver(_ page: TickPage, of logID: LogID, wall: Int64) -> Redelivery {
    .refused(
      page.bad.first?.cause
        ?? "its row can be read again, but its object is frozen without it: `tickwal replay --to s3 --prefix P` makes a copy that has it"
    )
  }

  func replay(_ replay: Replay) async throws -> Replay.Outcome {
    guard let prefix = replay.copiesUnder else {
      return try await ObjectReplay(replay: replay, store: store, settings: settings).frozen(consumer.name)
    }
    return try await ObjectReplay(
      replay: replay, store: store, settings: try settings.forCopies(under: prefix)
    ).copies()
  }
}
