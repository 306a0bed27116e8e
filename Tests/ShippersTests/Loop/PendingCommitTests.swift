import ShippingFixtures
import TestSupport
import Testing
import WAL

@testable import Shippers

@Suite struct PendingCommitTests {
  private let pending = PendingCommit<Int64>()

  private func confirmed(_ range: ClosedRange<Int64>) -> DeliveryWindow<Int64>.Confirmed {
    DeliveryWindow<Int64>.Confirmed(
      from: offset(range.lowerBound), to: offset(range.upperBound + 1), Array(range))
  }

  private func expect(
    _ confirmed: DeliveryWindow<Int64>.Confirmed, _ range: ClosedRange<Int64>,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(
      confirmed.first == offset(range.lowerBound) && confirmed.next == offset(range.upperBound + 1)
        && confirmed.confirmations == Array(range), sourceLocation: sourceLocation)
  }

  @Test func `a commit holds what is confirmed when it is made`() {
    #expect(pending.isEmpty)
    pending.add(confirmed(1...3))
    // It was asked for here.
    pending.add(confirmed(4...4))
    #expect(!pending.isEmpty)
    expect(pending.take(), 1...4)
    #expect(pending.isEmpty)
    // Too late for this one.
    pending.add(confirmed(5...9))
    expect(pending.committed(), 1...4)
    #expect(!pending.isEmpty)
    expect(pending.take(), 5...9)
    expect(pending.committed(), 5...9)
    #expect(pending.isEmpty)
  }

  @Test func `a commit that is tried again holds what has come meanwhile, and the same as before`() {
    pending.add(confirmed(1...2))
    expect(pending.take(), 1...2)
    expect(pending.take(), 1...2)
    pending.add(confirmed(3...3))
    expect(pending.take(), 1...3)
    expect(pending.committed(), 1...3)
    #expect(pending.isEmpty)
  }

  @Test func `to hurry counts for the commit under way alone`() {
    pending.add(confirmed(1...1))
    pending.hurry()
    #expect(pending.isHurried)
    _ = pending.take()
    #expect(pending.isHurried)
    _ = pending.committed()
    #expect(!pending.isHurried)
  }

  /// Here no ticks come, and a commit that waited for some would wait for ever.
  @Test(.timeLimit(.minutes(3)), arguments: [0, 1, 40, 600, 2_500], [true, false])
  func `shippers that are to end wait for no commit of ticks`(_ count: Int, submits: Bool) async throws {
    try await ShippingRig.with(patience: .seconds(3_600)) { rig in
      if count > 0 { try await rig.log.append(ticks(count)) }
      let table = ScriptedTable(submits: submits)
      let end = try await rig.drain(rig.shipping(to: table, concurrency: 20))
      #expect(end.next == offset(Int64(count) + 1))
    }
  }

  @Test(.timeLimit(.minutes(3))) func `those told to end while a commit waits for ticks do not wait either`()
    async throws
  {
    try await ShippingRig.with(patience: .seconds(3_600)) { rig in
      try await rig.log.append(ticks(10))
      let control = ShippingControl()
      let table = ScriptedTable()
      try await rig.beside(rig.shipping(to: table), control: control) {
        try await expectEventually { table.items.count == 10 }
        #expect(try await rig.next(.dynamodb) == .first)
        control.startDraining()
        try await expectEventually { try await rig.next(.dynamodb) == offset(11) }
      }
    }
  }
}
