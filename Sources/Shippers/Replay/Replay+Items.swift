import AWS
import Base
import Ticks
import WAL

extension Replay {
  /// Writes the items again, those whose TTL has not passed.
  package func items(to client: AWSClient, _ settings: ItemSettings) async throws -> Outcome {
    try await items(DynamoTable(client: DynamoDBClient(client), name: settings.table), settings)
  }

  /// Writes the items again to the table in a local folder.
  package func items(toFolder folder: String, _ settings: ItemSettings) async throws -> Outcome {
    try await items(try LocalTable(path: folder + "/table.db", wall: clock.wall), settings)
  }

  private func items(_ table: any ItemTable, _ settings: ItemSettings) async throws -> Outcome {
    var outcome = Outcome()
    try await eachPage { page in
      for row in page.bad { outcome.add(problem: "offset \(row.offset): \(row.cause)") }
      try await withThrowingTaskGroup(of: (offset: Offset, result: ItemResult).self) { group in
        var running = 0
        for (offset, tick) in zip(page.offsets, page.ticks.entries) {
          if running >= settings.concurrency, let done = try await group.next() {
            running -= 1
            outcome.add(done.result, at: done.offset)
          }
          running += 1
          group.addTask {
            (offset, try await write(tick, of: page.ticks, at: offset, to: table, settings))
          }
        }
        while let done = try await group.next() { outcome.add(done.result, at: done.offset) }
      }
    }
    return outcome
  }

  fileprivate enum ItemResult: Sendable {
    case written, expired
    case refused(String)
  }

  private func write(
    _ tick: TickBatch.Entry, of batch: TickBatch, at offset: Offset, to table: any ItemTable,
    _ settings: ItemSettings
  ) async throws -> ItemResult {
    let ttl = ItemAttributes.ttl(receivedAt: tick.receivedAt, retentionDays: settings.retentionDays)
    if try await table.hasPassed(ttl, wall: clock.wall(), attempts: attempts) { return .expired }
    let request: ItemRequest
    do throws(JSONError) {
      request = try table.request(batch, tick, retentionDays: settings.retentionDays)
    } catch {
      return .refused("\(error)")
    }
    let refusal = try await attempts.untilDone("write the item", key: "offset \(offset)") {
      try await table.write(request)
    }
    return refusal.map { .refused($0.cause) } ?? .written
  }
}

extension Replay.Outcome {
  fileprivate mutating func add(_ result: Replay.ItemResult, at offset: Offset) {
    switch result {
    case .written: delivered += 1
    case .expired: expired += 1
    case .refused(let cause): add(problem: "offset \(offset): \(cause)")
    }
  }
}
