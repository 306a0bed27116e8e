import Base
import Ticks
import WAL

/// Writes the items of a range again, those whose TTL has not passed.
struct ItemReplay<Table: ItemTable>: Sendable {
  let replay: Replay
  let table: Table
  let settings: ItemSettings
  private let turns = KeyTurns()

  init(replay: Replay, table: Table, settings: ItemSettings) {
    self.replay = replay
    self.table = table
    self.settings = settings
  }

  func run() async throws -> Replay.Outcome {
    var outcome = Replay.Outcome(expired: 0)
    try await replay.eachPage { page in
      for row in page.bad { outcome.add(problem: "offset \(Figures.grouped(row.offset)): \(row.cause)") }
      try await withThrowingTaskGroup(of: (offset: Offset, result: Replay.ItemResult).self) { group in
        var running = 0
        for (offset, tick) in zip(page.offsets, page.ticks.entries) {
          if running >= settings.concurrency, let done = try await group.next() {
            running -= 1
            outcome.add(done.result, at: done.offset)
          }
          running += 1
          let made = Result { () throws(ItemFlaw) in
            try table.keyedRequest(page.ticks, tick, retentionDays: settings.retentionDays)
          }
          if case .success(let made) = made { _ = turns.enter(offset, key: made.key) }
          group.addTask {
            (offset, try await write(made.map { $0.request }, tick, at: offset))
          }
        }
        while let done = try await group.next() { outcome.add(done.result, at: done.offset) }
      }
    }
    return outcome
  }

  private func write(
    _ made: Result<Table.Request, ItemFlaw>, _ tick: TickBatch.Entry, at offset: Offset
  ) async throws -> Replay.ItemResult {
    try await turns.turn(of: offset)
    defer { turns.leave(offset) }
    let ttl = ItemAttributes.ttl(receivedAt: tick.receivedAt, retentionDays: settings.retentionDays)
    if try await table.hasPassed(ttl, wall: replay.clock.wall(), attempts: replay.attempts) {
      return .expired
    }
    let request: Table.Request
    do throws(ItemFlaw) {
      request = try made.get()
    } catch {
      return .refused("\(error)")
    }
    let refusal = try await replay.attempts.untilDone(
      "write the item", key: "offset \(Figures.grouped(offset))"
    ) {
      try await table.write(request)
    }
    return refusal.map { .refused($0.cause) } ?? .written
  }
}

extension Replay {
  fileprivate enum ItemResult: Sendable {
    case written, expired
    case refused(String)
  }
}

extension Replay.Outcome {
  fileprivate mutating func add(_ result: Replay.ItemResult, at offset: Offset) {
    switch result {
    case .written: delivered += 1
    case .expired: expired = (expired ?? 0) + 1
    case .refused(let cause): add(problem: "offset \(Figures.grouped(offset)): \(cause)")
    }
  }
}
