import AWS
import Base
import WAL

/// Writes the items of several ticks with one request, many requests at a time.
struct ItemBatchSink<Table: ItemBatchTable>: Sink {
  typealias Delivery = ItemBatch

  /// Writes what goes alone.
  let single: ItemSink<Table>
  private let turns = KeyTurns()

  init(single: ItemSink<Table>) { self.single = single }

  private var table: Table { single.table }
  private var attempts: Attempts { single.attempts }

  var consumer: ConsumerName { single.consumer }
  var limit: Int { single.pacing.limit }
  var uncommittedLimit: Int { ItemBatch.mostUncommitted }
  var staysOnReader: Bool { true }
  var readAhead: Int { limit }

  func makeSource(reader: LogReader, next: Offset) -> ItemBatchSource<Table> {
    ItemBatchSource(
      ticks: single.makeSource(reader: reader, next: next), table: table, retentionDays: single.retentionDays)
  }

  func deliver(_ batch: ItemBatch) async throws -> Confirmation {
    for put in batch.puts { try await turns.turn(of: put.offset) }
    return try await deliver(batch, after: nil)
  }

  func start(
    _ batch: ItemBatch, isPatient: Bool, _ completion: @escaping @Sendable (FirstTry) -> Wake?
  ) -> CallOff? {
    // Also for one that is not begun here: this alone is called in the order of offsets.
    guard turns.enter(batch.puts.map { ($0.offset, $0.key) }), batch.others.isEmpty,
      let oldest = batch.puts.map(\.entry.receivedAt).min(), single.isAlive(receivedAt: oldest)
    else { return nil }
    KillPoint.item.before()
    return table.submit(puts: batch.puts.map(\.body), isPatient: isPatient) { result in
      guard case .success(.written) = result else {
        return completion(.open { try await deliver(batch, after: result) })
      }
      KillPoint.item.after()
      single.accepted()
      attempts.reporter.succeeded()
      leave(batch)
      return completion(.confirmed(Self.written(batch.puts)))
    }
  }

  private func leave(_ batch: ItemBatch) {
    for put in batch.puts { turns.leave(put.offset) }
  }

  /// - Parameter first: the end of a first try that was made already.
  private func deliver(
    _ batch: ItemBatch, after first: Result<BatchOutcome, any Error>?
  ) async throws -> Confirmation {
    defer { leave(batch) }
    var parts: [Confirmation] = []
    for tick in batch.others { parts.append(try await single.deliver(tick)) }
    var puts: [ItemBatch.Put] = []
    for put in batch.puts {
      // What was begun was alive then, and may be written by now.
      if first == nil, try await single.hasExpired(put.entry) {
        parts.append(Confirmation(expired: 1))
      } else {
        puts.append(put)
      }
    }
    let refused = try await write(puts, first)
    let offsets = Set(refused.map(\.offset))
    parts.append(Self.written(puts.filter { !offsets.contains($0.offset) }))
    // One after the other: of each batch one request is in flight.
    for put in refused { parts.append(try await single.deliver(put.delivery)) }
    return Confirmation(of: parts)
  }

  /// Tries until all are written, or until the table refuses those that are left.
  ///
  /// - Returns: what it does not take together. Each of them is to be judged alone.
  private func write(
    _ puts: [ItemBatch.Put], _ first: Result<BatchOutcome, any Error>?
  ) async throws -> [ItemBatch.Put] {
    guard let oldest = puts.first?.offset, let newest = puts.last?.offset else { return [] }
    var (rest, made) = (puts, first)
    return try await attempts.untilDone("write the items", key: "offsets \(oldest) to \(newest)") {
      defer { made = nil }
      return try await tryOnce(&rest, made)
    }
  }

  /// - Parameter rest: leaves those that are still to be written, where it throws.
  private func tryOnce(
    _ rest: inout [ItemBatch.Put], _ made: Result<BatchOutcome, any Error>?
  ) async throws -> [ItemBatch.Put] {
    do {
      switch try await outcome(rest, made) {
      case .written:
        single.accepted()
        return []
      case .refused: return rest
      case .partly(let unwritten, let error):
        rest = unwrittenPuts(rest, unwritten)
        throw error
      }
    } catch let error as AWSError where error.kind == .throttled {
      single.pacing.throttled()
      throw error
    }
  }

  private func outcome(
    _ puts: [ItemBatch.Put], _ made: Result<BatchOutcome, any Error>?
  ) async throws -> BatchOutcome {
    if let made { return try made.get() }
    KillPoint.item.before()
    let outcome = try await table.write(puts: puts.map(\.body))
    if case .written = outcome { KillPoint.item.after() }
    return outcome
  }

  /// - Returns: all, unless those that are named can be told from the others: written again they are the same.
  private func unwrittenPuts(_ puts: [ItemBatch.Put], _ unwritten: [ItemKey]) -> [ItemBatch.Put] {
    let unwritten = Set(unwritten)
    let found = puts.filter { put in
      let item = try? ExpectedItem(put.ticks, put.entry, retentionDays: single.retentionDays)
      return item.map { unwritten.contains($0.key) } ?? true
    }
    return found.count == unwritten.count ? found : puts
  }

  private static func written(_ puts: [ItemBatch.Put]) -> Confirmation {
    guard let oldest = puts.map(\.entry.receivedAt).min() else { return Confirmation() }
    let bytes = puts.reduce(0) { $0 + $1.entry.payload.count }
    return Confirmation(sent: Confirmation.Sent(bytes: bytes, receivedAt: oldest, isObject: false))
  }
}

extension Confirmation {
  /// Of a delivery in parts.
  fileprivate init(of parts: [Confirmation]) {
    let sent = parts.compactMap(\.sent)
    self.init(
      expired: parts.reduce(0) { $0 + $1.expired }, deadLetters: parts.flatMap(\.deadLetters),
      sent: sent.map(\.receivedAt).min().map { oldest in
        Sent(bytes: sent.reduce(0) { $0 + $1.bytes }, receivedAt: oldest, isObject: false)
      })
  }
}
