import AWS
import Base
import Synchronization
import WAL

/// The way of records into their place: one request after the other, and what is refused once more, until all are there.
///
/// So of each partition key one request is on its way. Records that are sent once more come after later ones of the
/// same key all the same, where those were taken: the order within a shard is not kept.
final class RecordSending<Place: RecordPlace>: Sendable {
  private let place: Place
  private let attempts: Attempts
  private let size = Mutex(RequestSize())

  init(to place: Place, attempts: Attempts) {
    self.place = place
    self.attempts = attempts
  }

  /// The records of a page, and what of it can be none, in the order of the offsets.
  ///
  /// - Throws: as ``put(_:)``.
  func records(
    _ page: TickPage, of logID: LogID
  ) async throws -> (records: [StreamRecord], bad: [TickPage.BadRow]) {
    var records: [StreamRecord] = []
    records.reserveCapacity(page.offsets.count)
    var bad = page.bad
    for (offset, tick) in zip(page.offsets, page.ticks.entries) {
      do {
        let record = try StreamRecord(page.ticks, tick, at: offset, of: logID)
        if let flaw = try await flaw(record) { throw flaw }
        records.append(record)
      } catch let flaw as RecordFlaw {
        bad.append(
          TickPage.BadRow(
            offset: offset, cause: flaw.description, payload: Array(page.ticks.bytes[tick.payload])))
      }
    }
    return (records, bad.sorted { $0.offset < $1.offset })
  }

  /// The reason why the place can never take a record, asked for only where there may be one.
  private func flaw(_ record: StreamRecord) async throws -> RecordFlaw? {
    guard record.bytes > RecordLimits.usualRecordBytes else { return nil }
    return try await attempts.untilDone("ask for the limit of a record", key: "offset \(record.offset)") {
      try await place.flaw(record)
    }
  }

  /// Puts records, without a flaw, in the order of their offsets; all are durable when it returns.
  ///
  /// - Throws: `CancellationError` or `ShippingStopped`; with a limit to the attempts' patience `Refusal`, too.
  func put(_ records: [StreamRecord]) async throws {
    var rest = records[...]
    while let first = rest.first {
      let key = "offset \(first.offset)"
      // Each try has the size that is right by then.
      let (request, refused) = try await attempts.untilDone("put the records", key: key) {
        let most = size.withLock { $0.value }
        let request = rest.prefix(RecordLimits.portion(rest, atMost: most))
        return (request, try await send(request))
      }
      let again = refused.map { request[request.startIndex + $0.place] }
      rest = (again + rest.dropFirst(request.count))[...]
      if let refused = refused.first {
        attempts.failed(refused.error, "put some of the records", key: key)
      }
    }
  }

  /// Sends one request.
  ///
  /// - Returns: the refused records, not all of them: what leads somewhere is gone on with at once.
  /// - Throws: where none was taken, the first one's error.
  private func send(_ request: ArraySlice<StreamRecord>) async throws -> [RefusedRecord] {
    KillPoint.item.before()
    let refused: [RefusedRecord]
    do {
      refused = try await place.put(request)
    } catch let error as AWSError where error.kind == .throttled {
      size.withLock { $0.answered(throttled: request.count, of: request.count) }
      throw error
    }
    KillPoint.item.after()
    let throttled = refused.count { $0.error.kind == .throttled }
    size.withLock { $0.answered(throttled: throttled, of: request.count) }
    if refused.count == request.count, let first = refused.first { throw first.error }
    return refused
  }
}
