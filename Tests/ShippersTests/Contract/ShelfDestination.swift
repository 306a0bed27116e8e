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

  func ship(from next: Offset, _ context: ShippingContext) async throws {
    try await context.withReader { reader in
      try await context.ship(
        ShelfSink(consumer: consumer.name, shelf: shelf, tail: context.tail, attempts: context.attempts),
        reader: reader, next: next)
    }
  }

  func redeliver(_ page: TickPage, wall: Int64) async throws -> Redelivery {
    guard let (offset, payload) = page.payloads.first else {
      return .refused(page.bad.first?.cause ?? "the log ends before it")
    }
    try await shelf.put(offset, payload)
    return .delivered
  }

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

  func compare(_ consumer: Consumer, _ reconcile: Reconcile) async throws -> Reconciliation {
    var result = Reconciliation(consumer, unit: unit)
    guard let oldest = try await reconcile.reader.oldest() else { return result }
    let last = min(reconcile.range.upperBound, consumer.next.previous)
    var next = max(reconcile.range.lowerBound, oldest)
    while next <= last {
      let page = try await reconcile.reader.page(from: next, through: last, maximumTicks: 1_000)
      guard let read = page.range else { break }
      for (offset, payload) in page.payloads {
        result.checked += 1
        switch shelf.payloads[offset] {
        case payload: result.agreeing += 1
        case nil:
          if reconcile.options.repairs {
            try await reconcile.inquiry("put the payload", "offset \(offset)") {
              try await shelf.put(offset, payload)
            }
          }
          result.add(.missing, isRepaired: reconcile.options.repairs, "offset \(offset): not there")
        default: result.add(.different, "offset \(offset): another payload")
        }
      }
      next = read.upperBound.next
    }
    return result
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
