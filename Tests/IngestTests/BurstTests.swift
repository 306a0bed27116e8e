import TestSupport
import Testing
import Ticks
import WAL

@testable import Ingest

/// An exchange that sends in bursts: between two of them no stream is late.
@Suite struct BurstTests {
  private var attempts = AttemptLimiter(limit: 100, window: .seconds(300))
  private var slot = SlotDecisions(
    SlotID(number: 1), streams: ["a@trade", "b@trade"], isCovered: false, rules: SlotDecisions.Rules(),
    startedAt: 0)

  private func moment(_ seconds: Int64) -> SlotDecisions.Moment {
    SlotDecisions.Moment(now: .seconds(seconds), utc: seconds * 1_000_000, random: 0.5)
  }

  private mutating func receive(
    _ stream: String, _ id: FeedSession.ConnectionID, at seconds: Int64
  ) -> [GapChange] {
    var intake = Intake(messages: 1, receivedAt: moment(seconds).utc)
    intake.ticks.append(receivedAt: intake.receivedAt, eventTime: nil, stream: stream, payload: "{}")
    slot.received(intake, from: id, lag: nil, at: moment(seconds), &attempts)
    return changes(slot.takeActions())
  }

  private mutating func connection() throws -> FeedSession.ConnectionID {
    let ids = slot.takeActions().compactMap { action -> FeedSession.ConnectionID? in
      guard case .connect(let id) = action else { return nil }
      return id
    }
    return try #require(ids.last)
  }

  private func changes(_ actions: [SlotDecisions.Action]) -> [GapChange] {
    actions.flatMap { action in
      guard case .submit(_, let changes) = action else { return [GapChange]() }
      return changes
    }
  }

  private mutating func open(_ id: FeedSession.ConnectionID, at seconds: Int64) {
    slot.reached(id)
    slot.judged(.granted(["a@trade", "b@trade"]), by: id, at: moment(seconds), &attempts)
    slot.opened(id, at: moment(seconds), &attempts)
  }

  /// Each stream has a tick every ten seconds, a second apart. The tick of the first is lost with a connection, and the
  /// next connection does not live until the next burst.
  @Test mutating func `a connection that is lost between two bursts has withheld nothing`() throws {
    slot.handle(.started, at: moment(0), &attempts)
    let first = try connection()
    open(first, at: 1)
    for burst in Int64(1)...12 {
      _ = receive("a@trade", first, at: 10 * burst)
      _ = receive("b@trade", first, at: 10 * burst + 1)
    }
    slot.ended(first, cause: .closed, at: moment(129), &attempts)
    slot.timerFired(at: moment(130), &attempts)
    let second = try connection()
    open(second, at: 130)
    _ = receive("b@trade", second, at: 131)
    slot.ended(second, cause: .closed, at: moment(139), &attempts)
    let atEnd = slot.takeActions()
    #expect(singles(changes(atEnd)).isEmpty)
    slot.timerFired(at: moment(140), &attempts)
    let third = try connection()
    open(third, at: 140)
    // Whether the second connection had it nobody knows: a gap says so, up to where the next one begins.
    let found = receive("a@trade", third, at: 140)
    #expect(singles(found) == [130_000_000])
    #expect(
      found.contains { if case .close(131_000_000, _) = $0 { true } else { false } }, "\(found)")
  }

  /// The beginnings of gaps of the first stream alone.
  private func singles(_ changes: [GapChange]) -> [Int64] {
    changes.compactMap { change in
      guard case .open(let startedAt, _, ["a@trade"], _, _) = change else { return nil }
      return startedAt
    }
  }
}
