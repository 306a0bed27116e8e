import AWS
import Base
import Shippers
import Synchronization
import WAL

// Made as a destination of the program would be: of what the modules offer, and nothing else of theirs.

/// A place for payloads in memory, under their offsets, with a hook before each of them.
final class Shelf: Sendable {
  typealias Hook = @Sendable (Offset) async throws -> Void

  private let state = Mutex<(payloads: [Offset: [UInt8]], hook: Hook)>(([:], { _ in }))

  var payloads: [Offset: [UInt8]] { state.withLock { $0.payloads } }

  func hook(_ hook: @escaping Hook) { state.withLock { $0.hook = hook } }
  func clear() { state.withLock { $0.payloads = [:] } }

  /// Writing again changes nothing.
  func put(_ offset: Offset, _ payload: [UInt8]) async throws {
    try await state.withLock { $0.hook }(offset)
    state.withLock { $0.payloads[offset] = payload }
  }
}

struct ShelfAddress: DestinationAddress {
  let shelf: String

  var fields: [(name: String, value: String)] { [("shelf", shelf)] }
}

/// A third destination: every tick's payload, one at a time.
struct ShelfDestination: Destination {
  let shelf: Shelf

  let consumer = ConsumerKind(name: ConsumerName(rawValue: "shelf"), shipsInBatches: false)
  var address: String { ShelfAddress(shelf: "test").json }
  var unit: String { "payloads" }
  var inventory: Inventory? { .ticks(ShelfInventory(shelf: shelf)) }

  func ship(from next: Offset, _ context: ShippingContext) async throws {
    try await context.withReader { reader in
      try await context.ship(
        ShelfSink(consumer: consumer.name, shelf: shelf, tail: context.tail, attempts: context.attempts),
        reader: reader, next: next)
    }
  }

  func redeliver(_ page: TickPage, of logID: LogID, wall: Int64) async throws -> Redelivery {
    guard let (offset, payload) = page.payloads.first else {
      return .refused(page.bad.first?.cause ?? "the log ends before it")
    }
    try await shelf.put(offset, payload)
    return .delivered
  }

  func look(writes: Bool) -> [DoctorFinding] { [.ok("shelf", "it is in memory")] }

  func replay(_ replay: Replay) async throws -> Replay.Outcome {
    var outcome = Replay.Outcome()
    try await replay.eachPage { page in
      for (offset, payload) in page.payloads {
        try await replay.attempts.untilDone("put the payload", key: "offset \(offset)") {
          try await shelf.put(offset, payload)
        }
        outcome.delivered += 1
      }
      for row in page.bad { outcome.add(problem: "offset \(row.offset): \(row.cause)") }
    }
    return outcome
  }
}

private struct ShelfInventory: TickInventory {
  let shelf: Shelf

  var place: String { "the shelf" }
  var keysAtATime: Int { 1_000 }

  func expected(
    _ batch: TickBatch, _ tick: TickBatch.Entry, at offset: Offset
  ) -> (offset: Offset, payload: [UInt8])? {
    (offset, Array(batch.bytes[tick.payload]))
  }

  func key(_ expected: (offset: Offset, payload: [UInt8])) -> Offset { expected.offset }

  func found(under keys: [Offset]) -> [Offset: [UInt8]] {
    let payloads = shelf.payloads
    return Dictionary(uniqueKeysWithValues: keys.compactMap { key in payloads[key].map { (key, $0) } })
  }

  func compare(_ expected: (offset: Offset, payload: [UInt8]), with found: [UInt8]) -> TickMatch {
    expected.payload == found ? .agrees : .differs(["payload"])
  }

  func write(_ expected: (offset: Offset, payload: [UInt8])) async throws -> String? {
    try await shelf.put(expected.offset, expected.payload)
    return nil
  }
}

private struct ShelfSink: Sink {
  let consumer: ConsumerName
  let shelf: Shelf
  let tail: Tail
  let attempts: Attempts

  var limit: Int { 4 }
  var uncommittedLimit: Int { 8 }
  var readAhead: Int { 4 }

  func makeSource(reader: LogReader, next: Offset) -> TickSource {
    TickSource(reader: reader, tail: tail, next: next)
  }

  func deliver(_ delivery: TickDelivery) async throws -> Confirmation {
    let offset = delivery.offset
    switch delivery.content {
    case .bad(let row):
      return Confirmation(deadLetters: [
        DeadLetter(offset: offset, consumer: consumer, cause: row.cause, attempts: 0, payload: row.payload)
      ])
    case .tick(let batch, let index):
      let payload = Array(batch.bytes[batch.entries[index].payload])
      try await attempts.untilDone("put the payload", key: "offset \(offset)") {
        try await shelf.put(offset, payload)
      }
      return Confirmation()
    }
  }
}

extension TickPage {
  fileprivate var payloads: [(Offset, [UInt8])] {
    zip(offsets, ticks.entries).map { ($0, Array(ticks.bytes[$1.payload])) }
  }
}
