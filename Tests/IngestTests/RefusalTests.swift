import TestSupport
import Testing
import Ticks
import WAL

@testable import Ingest

/// Gaps of streams whose request has no answer, or a bad one, on the first connection of a run.
@Suite struct RefusalTests {
  private static let start: Int64 = 1_000_000_000
  private var attempts = AttemptLimiter(limit: 100, window: .seconds(300))

  private func moment(_ seconds: Int64) -> SlotDecisions.Moment {
    SlotDecisions.Moment(now: .seconds(seconds), utc: Self.start + seconds * 1_000_000, random: 0.5)
  }

  private func decisions(isCovered: Bool = false) -> SlotDecisions {
    SlotDecisions(
      SlotID(number: 1), streams: ["a@trade", "b@trade"], isCovered: isCovered, rules: SlotDecisions.Rules(),
      startedAt: Self.start)
  }

  private func gaps(_ actions: [SlotDecisions.Action]) -> [(startedAt: Int64, streams: [String])] {
    actions.flatMap { action in
      guard case .submit(_, let changes) = action else { return [GapChange]() }
      return changes
    }.compactMap { change in
      guard case .open(let startedAt, _, let streams, _, _) = change else { return nil }
      return (startedAt, streams)
    }
  }

  private func connection(_ actions: [SlotDecisions.Action]) throws -> FeedSession.ConnectionID {
    let ids = actions.compactMap { action -> FeedSession.ConnectionID? in
      guard case .connect(let id) = action else { return nil }
      return id
    }
    return try #require(ids.last)
  }

  /// The request for `b` is given up after twenty seconds, in which `a` has been delivered.
  @Test(arguments: [nil, RequestAnswer.Failure(code: 1, message: "Internal error")])
  mutating func `a stream whose request gets no answer is missing since the run began`(
    _ failure: RequestAnswer.Failure?
  ) throws {
    var slot = decisions()
    slot.handle(.started, at: moment(0), &attempts)
    let first = try connection(slot.takeActions())
    slot.reached(first)
    slot.judged(.granted(["a@trade"]), by: first, at: moment(1), &attempts)
    slot.judged(.refused(["b@trade"], failure, again: .seconds(1)), by: first, at: moment(21), &attempts)
    slot.opened(first, at: moment(21), &attempts)
    let found = gaps(slot.takeActions())
    #expect(found.map(\.startedAt) == [Self.start] && found.map(\.streams) == [["b@trade"]])
    // Once it is open, what is refused anew had been there until then.
    slot.judged(.refused(["a@trade"], failure, again: .seconds(1)), by: first, at: moment(30), &attempts)
    #expect(gaps(slot.takeActions()).map(\.startedAt) == [Self.start + 30_000_000])
  }

  @Test
  mutating func `a stream that is new in the list and gets no answer is missing since it was asked for`()
    throws
  {
    var slot = decisions()
    slot.handle(.started, at: moment(0), &attempts)
    let first = try connection(slot.takeActions())
    slot.reached(first)
    slot.judged(.granted(["a@trade", "b@trade"]), by: first, at: moment(1), &attempts)
    slot.opened(first, at: moment(1), &attempts)
    slot.change(to: ["a@trade", "b@trade", "c@trade"], resubscribes: true, at: moment(10), &attempts)
    let second = try connection(slot.takeActions())
    slot.reached(second)
    slot.judged(.granted(["a@trade"]), by: second, at: moment(11), &attempts)
    slot.judged(
      .refused(["b@trade", "c@trade"], nil, again: .seconds(9)), by: second, at: moment(31), &attempts)
    var intake = Intake(messages: 1, receivedAt: moment(31).utc)
    intake.ticks.append(receivedAt: intake.receivedAt, eventTime: nil, stream: "b@trade", payload: "{}")
    slot.received(intake, from: first, lag: nil, at: moment(31), &attempts)
    slot.opened(second, at: moment(31), &attempts)
    _ = slot.takeActions()
    slot.ended(first, cause: .closed, at: moment(32), &attempts)
    let found = gaps(slot.takeActions()).filter { $0.streams.count == 1 }
    #expect(
      found.map(\.streams) == [["b@trade"], ["c@trade"]]
        || found.map(\.streams) == [["c@trade"], ["b@trade"]])
    #expect(found.first { $0.streams == ["c@trade"] }?.startedAt == Self.start + 10_000_000)
  }

  @Test mutating func `where a gap speaks of all streams, that of a refusal begins with it`() throws {
    var slot = decisions()
    slot.handle(.started, at: moment(0), &attempts)
    let first = try connection(slot.takeActions())
    slot.ended(first, cause: .closed, at: moment(1), &attempts)
    #expect(gaps(slot.takeActions()).map(\.startedAt) == [Self.start])
    slot.timerFired(at: moment(10), &attempts)
    let second = try connection(slot.takeActions())
    slot.reached(second)
    slot.judged(.refused(["b@trade"], nil, again: .seconds(1)), by: second, at: moment(31), &attempts)
    #expect(gaps(slot.takeActions()).map(\.startedAt) == [Self.start + 31_000_000])

    var covered = decisions(isCovered: true)
    covered.handle(.started, at: moment(0), &attempts)
    let only = try connection(covered.takeActions())
    covered.reached(only)
    covered.judged(.refused(["b@trade"], nil, again: .seconds(1)), by: only, at: moment(20), &attempts)
    #expect(gaps(covered.takeActions()).map(\.startedAt) == [Self.start + 20_000_000])
  }
}
