import Base
import WAL

/// A destination of records: one for each tick, put at least once, and told apart by its log and offset.
struct RecordDestination<Place: RecordPlace>: Destination {
  let consumer: ConsumerKind
  let address: String
  let place: Place

  init(_ name: ConsumerName, _ address: some DestinationAddress, place: Place) {
    consumer = ConsumerKind(name: name, shipsInBatches: false)
    self.address = address.json
    self.place = place
  }

  var unit: String { "records" }
  /// A Kinesis stream cannot be asked for a record.
  var inventory: Inventory? { nil }

  func ship(from next: Offset, _ context: ShippingContext) async throws {
    try await context.withReader { reader in
      let sink = RecordSink(
        consumer: consumer.name, logID: try await reader.logID(), tail: context.tail,
        sending: RecordSending(to: place, attempts: context.attempts))
      try await context.ship(sink, reader: reader, next: next)
    }
  }

  func redeliver(_ page: TickPage, of logID: LogID, wall: Int64) async throws -> Redelivery {
    guard let tick = page.ticks.entries.first, let offset = page.offsets.first else {
      return .refused(page.bad.first?.cause ?? "the log ends before it")
    }
    do {
      let record = try StreamRecord(page.ticks, tick, at: offset, of: logID)
      if record.bytes > RecordLimits.usualRecordBytes, let flaw = try await place.flaw(record) { throw flaw }
      if let refused = try await place.put([record]).first { throw refused.error }
      return .delivered
    } catch let flaw as RecordFlaw {
      return .refused(flaw.description)
    }
  }

  func replay(_ replay: Replay) async throws -> Replay.Outcome {
    let logID = try await replay.reader.logID()
    let sending = RecordSending(to: place, attempts: replay.attempts)
    var outcome = Replay.Outcome()
    try await replay.eachPage { page in
      let (records, bad) = try await sending.records(page, of: logID)
      for row in bad { outcome.add(problem: "offset \(Figures.grouped(row.offset)): \(row.cause)") }
      try await sending.put(records)
      outcome.delivered += records.count
    }
    return outcome
  }

  func look(writes: Bool) async throws -> [DoctorFinding] { try await place.look(writes: writes) }
}
