import AWS
import Base
import ShippingFixtures
import Testing

@testable import Shippers
@testable import WAL

@Suite struct KeyTurnsTests {
  /// Ticks of three keys in turn, each with a payload of its own.
  private func ticksOfThreeKeys(_ count: Int) -> TickBatch {
    var batch = TickBatch()
    for number in 1...count {
      batch.append(
        receivedAt: someTime, eventTime: 1_665_778_598_188, stream: "btcusdt@trade",
        payload: "{\"e\":\"trade\",\"E\":1665778598188,\"s\":\"BTCUSDT\",\"t\":\(number % 3),\"n\":\(number)}"
      )
    }
    return batch
  }

  /// Refuses each third write for now, and counts those of one key that are on their way together.
  private func disturb(_ table: ScriptedTable) -> Watch<(flying: [String: Int], most: Int)> {
    let watch = Watch((flying: [String: Int](), most: 0))
    let calls = Counter()
    table.hook { key in
      watch.update { watch in
        watch.flying[key, default: 0] += 1
        watch.most = max(watch.most, watch.flying[key] ?? 0)
      }
      defer { watch.update { $0.flying[key, default: 0] -= 1 } }
      for _ in 0..<20 { await Task.yield() }
      if calls.next() % 3 == 0 { throw AWSError.answer(500, .transient) }
      return nil
    }
    return watch
  }

  private func expectTheLatest(_ count: Int, in table: ScriptedTable) {
    let left = Set(table.items.values.compactMap { $0.attributes["data"] })
    #expect(left.count == 3)
    for number in count - 2...count {
      #expect(
        left.contains { $0.hasSuffix("\"n\":\(number)}") },
        "the latest of a key, \(number), is not what remains")
    }
  }

  @Test(arguments: [true, false])
  func `of two ticks with one key the later one remains, after any retry`(submits: Bool) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticksOfThreeKeys(150))
      let table = ScriptedTable(submits: submits)
      let watch = disturb(table)
      let end = try await rig.drain(rig.shipping(to: table, concurrency: 16))
      #expect(end.next == offset(151))
      #expect(watch.value.most == 1)
      expectTheLatest(150, in: table)
    }
  }

  @Test func `a replay leaves the later of two ticks with one key, too`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticksOfThreeKeys(150))
      let table = ScriptedTable()
      let watch = disturb(table)
      try await rig.withReader { reader in
        let replay = try await Replay(
          reader: reader, from: offset(1), through: nil, clock: rig.clock.shipping, logger: rig.logs.logger,
          report: { _ in })
        let outcome = try await ItemReplay(
          replay: replay, table: table, settings: ItemSettings(table: "t", concurrency: 16)
        ).run()
        #expect(outcome.delivered == 150)
      }
      #expect(watch.value.most == 1)
      expectTheLatest(150, in: table)
    }
  }

  @Test func `several ticks have their turn when all of them have`() async throws {
    let turns = KeyTurns()
    #expect(turns.enter([(offset(1), 7), (offset(2), 8)]))
    #expect(!turns.enter([(offset(3), 9), (offset(4), 8)]))
    #expect(!turns.enter([(offset(5), 9)]))
    try await turns.turn(of: offset(3))
    turns.leave(offset(1))
    turns.leave(offset(2))
    try await turns.turn(of: offset(4))
    turns.leave(offset(3))
    try await turns.turn(of: offset(5))
    turns.leave(offset(4))
    turns.leave(offset(5))
    #expect(turns.enter([(offset(6), 7), (offset(7), 8), (offset(8), 9)]))
  }

  @Test func `a tick whose wait is called off keeps its place`() async throws {
    let turns = KeyTurns()
    #expect(turns.enter(offset(1), key: 7))
    #expect(!turns.enter(offset(2), key: 7))
    #expect(turns.enter(offset(3), key: 8))
    let waiting = Task { try await turns.turn(of: offset(2)) }
    waiting.cancel()
    await #expect(throws: CancellationError.self) { try await waiting.value }
    #expect(!turns.enter(offset(4), key: 7))
    turns.leave(offset(1))
    try await turns.turn(of: offset(2))
    turns.leave(offset(2))
    try await turns.turn(of: offset(4))
    turns.leave(offset(4))
    #expect(turns.enter(offset(5), key: 7))
  }
}
