import AWS
import ShippingFixtures
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite(.timeLimit(.minutes(2))) struct StoppingTests {
  private let busy = AWSError("SlowDown", .throttled, operation: "PutObject", retryAfter: .seconds(120))

  @Test func `a stop ends the wait between two tries and keeps what others confirmed`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(40))
      let store = ScriptedStore()
      let error = busy
      store.hook(before: { call in
        if case .put(let key) = call, key.contains("-11-20.") { throw error }
      })
      let control = ShippingControl()
      async let end = rig.run(rig.shipping(to: store), control)
      try await expectEventually {
        store.objects.count == 3 && rig.clock.waiting.contains { $0 > .seconds(60) }
      }
      control.startStopping()
      #expect(try await end.next == offset(11))
      #expect(
        try await rig.query("SELECT first_offset FROM batches WHERE state = 'planned'") == ["11", "21", "31"])

      store.hook()
      try await rig.drain(rig.shipping(to: store))
      #expect(try await rig.next(.s3) == offset(41))
      #expect(store.objects.count == 4)
    }
  }

  @Test func `a stop ends a hold`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      let table = ScriptedTable()
      table.hook { _ in ItemRefusal(cause: "key schema", blame: .keys) }
      let control = ShippingControl()
      async let end = rig.run(rig.shipping(to: table), control)
      try await expectEventually { !rig.clock.waiting.isEmpty }
      control.startStopping()
      #expect(try await end.next == .first)
      #expect(try await rig.deadLetters.isEmpty)
    }
  }
}
