import Base
import WAL

/// Puts a page of ticks at a time, as records.
///
/// One page is on its way, so a crash makes the next start put at most ``uncommittedLimit`` pages again. A request takes
/// some milliseconds and has up to 500 records, many times what a shard takes in that time.
struct RecordSink<Place: RecordPlace>: Sink {
  typealias Delivery = TickPage

  let consumer: ConsumerName
  let logID: LogID
  let tail: Tail
  let sending: RecordSending<Place>

  var limit: Int { 1 }
  var uncommittedLimit: Int { 2 }
  var readAhead: Int { 1 }

  func makeSource(reader: LogReader, next: Offset) -> PageSource {
    PageSource(reader: reader, tail: tail, next: next, pageTicks: RecordLimits.recordsAtATime)
  }

  func deliver(_ page: TickPage) async throws -> Confirmation {
    let (records, bad) = try await sending.records(page, of: logID)
    try await sending.put(records)
    return Confirmation(
      deadLetters: bad.map { row in
        DeadLetter(
          offset: row.offset, consumer: consumer, cause: row.cause, attempts: 0, payload: row.payload)
      },
      sent: records.map(\.receivedAt).min().map { oldest in
        Confirmation.Sent(
          bytes: records.reduce(0) { $0 + $1.data.count }, receivedAt: oldest, isObject: false)
      })
  }
}
