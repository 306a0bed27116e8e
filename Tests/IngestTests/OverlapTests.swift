import Testing
import WAL

@testable import Ingest

@Suite struct OverlapTests {
  /// Connection 1 leads, 2 follows and is open since second 0.
  private func joined(_ limits: Overlap.Limits = .init()) -> Overlap {
    var overlap = Overlap(limits: limits)
    #expect(overlap.begin(primary: 1, standby: 2).isEmpty)
    overlap.standbyOpened(at: .zero)
    return overlap
  }

  @Test func `without an overlap everything passes, equal ticks too`() {
    var overlap = Overlap()
    #expect(overlap.pass(intake("a 1", "a 1"), from: 1, at: .zero).texts == ["a 1", "a 1"])
    #expect(overlap.pass(intake("a 1"), from: 2, at: .zero).texts == ["a 1"])
    #expect(overlap.deadline == nil)
    #expect(overlap.duplicates == 0)
  }

  @Test func `what both deliver comes once`() {
    var overlap = joined()
    #expect(overlap.pass(intake("a 1", "b 1"), from: 1, at: .zero).texts == ["a 1", "b 1"])
    #expect(overlap.pass(intake("a 1", "a 2"), from: 2, at: .zero).texts == ["a 2"])
    #expect(overlap.pass(intake("a 2", "a 3"), from: 1, at: .zero).texts == ["a 3"])
    #expect(overlap.duplicates == 2)
  }

  @Test func `the same payload on another stream is another tick`() {
    var overlap = joined()
    #expect(overlap.pass(intake("ab c"), from: 1, at: .zero).texts == ["ab c"])
    _ = overlap.pass(intake("a bc", "b c"), from: 2, at: .zero)
    #expect(overlap.release().texts == ["a bc", "b c"])
  }

  @Test func `equal ticks of one connection are as many ticks`() {
    var overlap = joined()
    #expect(overlap.pass(intake("a 1", "a 1"), from: 1, at: .zero).texts == ["a 1", "a 1"])
    #expect(overlap.pass(intake("a 1", "a 1", "a 1"), from: 2, at: .zero).texts == ["a 1"])
    #expect(overlap.pass(intake("a 1"), from: 1, at: .zero).texts == [])
    #expect(overlap.pass(intake("a 1"), from: 1, at: .zero).texts == ["a 1"])
  }

  @Test func `a standby that is ahead waits for the primary to reach its first tick`() {
    var overlap = joined()
    #expect(overlap.pass(intake("a 3", "a 4"), from: 2, at: .zero).texts == [])
    #expect(overlap.pass(intake("a 1", "a 2"), from: 1, at: .zero).texts == ["a 1", "a 2"])
    #expect(overlap.pass(intake("a 3", "b 9"), from: 1, at: .zero).texts == ["a 3", "a 4", "b 9"])
    #expect(overlap.pass(intake("a 5"), from: 2, at: .zero).texts == ["a 5"])
    #expect(overlap.pass(intake("a 4", "a 5", "a 6"), from: 1, at: .zero).texts == ["a 6"])
  }

  @Test func `a stream waits two seconds, each for itself`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1", at: 7), from: 2, at: .seconds(1))
    _ = overlap.pass(intake("a 2", "b 1", at: 8), from: 2, at: .seconds(2))
    #expect(overlap.expire(at: .milliseconds(2_999)).texts == [])
    #expect(overlap.deadline == .seconds(3))
    let first = overlap.expire(at: .seconds(3))
    #expect(first.texts == ["a 1", "a 2"])
    #expect(first.ticks.entries.map(\.receivedAt) == [7, 8])
    #expect((first.messages, first.receivedAt) == (0, 8))
    #expect(overlap.pass(intake("a 3"), from: 2, at: .seconds(3)).texts == ["a 3"])
    #expect(overlap.expire(at: .seconds(4)).texts == ["b 1"])
    // Nothing is held: what both have is compared every second.
    #expect(overlap.deadline == .seconds(5))
  }

  @Test func `release, the primary's end and the standby's end let everything go, in the order received`() {
    for ending in 0..<3 {
      var overlap = joined()
      _ = overlap.pass(intake("a 1", "b 1"), from: 2, at: .zero)
      _ = overlap.pass(intake("c 1", "a 2"), from: 2, at: .zero)
      #expect(overlap.pass(intake("b 1"), from: 1, at: .zero).texts == ["b 1"])
      let rest =
        switch ending {
        case 0: overlap.release()
        case 1: overlap.ended(1, at: .zero)
        default: overlap.ended(2, at: .zero)
        }
      #expect(rest.texts == ["a 1", "c 1", "a 2"])
      #expect(overlap.release().isEmpty)
    }
  }

  @Test func `a standby of the next overlap does not lose what the last one had held`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1"), from: 2, at: .zero)
    #expect(overlap.begin(primary: 1, standby: 3).texts == ["a 1"])
    #expect(overlap.pass(intake("a 1", "a 2"), from: 1, at: .zero).texts == ["a 2"])
  }

  @Test func `more than may be held goes at once`() {
    var overlap = joined(.init(heldBytes: 1_000))
    var seen: [String] = []
    var sent: [String] = []
    for number in 0..<20 {
      sent.append("a \(number)")
      seen += overlap.pass(intake("a \(number)"), from: 2, at: .zero).texts
    }
    #expect(seen == sent)
    #expect(overlap.deadline == .seconds(1))  // No hold is left.
  }

  @Test func `after the primary's end its ticks are remembered for ten seconds, and no longer`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1", "a 2", "a 3"), from: 1, at: .zero)
    _ = overlap.release()
    _ = overlap.ended(1, at: .seconds(1))
    #expect(overlap.deadline == .seconds(11))
    #expect(overlap.pass(intake("a 1", "a 4"), from: 2, at: .seconds(2)).texts == ["a 4"])
    #expect(overlap.expire(at: .milliseconds(10_999)).isEmpty)
    #expect(overlap.pass(intake("a 2"), from: 2, at: .milliseconds(10_999)).texts == [])
    #expect(overlap.expire(at: .seconds(11)).isEmpty)
    #expect(overlap.deadline == nil)
    #expect(overlap.pass(intake("a 3"), from: 2, at: .seconds(11)).texts == ["a 3"])
  }

  /// Its server's queue may hold what the ended one has delivered.
  @Test func `one that has been silent since the other's end is waited for before anything is forgotten`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1", "a 2"), from: 1, at: .seconds(1))
    _ = overlap.release()
    _ = overlap.ended(1, at: .seconds(1))
    #expect(overlap.expire(at: .seconds(11)).isEmpty)
    #expect(overlap.deadline == .seconds(21))
    #expect(overlap.pass(intake("a 2"), from: 2, at: .seconds(14)).texts == [])
    #expect(overlap.expire(at: .seconds(21)).isEmpty)
    #expect(overlap.deadline == nil)
  }

  @Test func `a connection made while another one drains has no tick twice with it`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1"), from: 1, at: .zero)
    _ = overlap.pass(intake("a 1"), from: 2, at: .zero)
    _ = overlap.release()
    // The one in use ends, the one before has not yet.
    _ = overlap.ended(2, at: .seconds(1))
    overlap.beginTogether([1, 3])
    #expect(overlap.pass(intake("a 2"), from: 3, at: .seconds(2)).texts == ["a 2"])
    #expect(overlap.pass(intake("a 2"), from: 1, at: .seconds(2)).texts == [])
  }

  @Test func `a standby that never delivered leaves nothing to remember`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1"), from: 1, at: .zero)
    #expect(overlap.ended(2, at: .zero).isEmpty)
    #expect(overlap.deadline == nil)
  }

  @Test func `the next overlap goes on with what the last one remembers`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1", "a 2"), from: 1, at: .zero)
    _ = overlap.pass(intake("a 1"), from: 2, at: .zero)
    _ = overlap.release()
    _ = overlap.ended(1, at: .zero)
    _ = overlap.begin(primary: 2, standby: 3)
    #expect(overlap.pass(intake("a 2", "a 3"), from: 2, at: .seconds(20)).texts == ["a 3"])
    #expect(overlap.pass(intake("a 3", "a 4"), from: 3, at: .seconds(20)).texts == ["a 4"])
  }

  /// It was not there when the first one was delivered, so its own is a second one.
  @Test func `a new connection's ticks are no duplicates of what was appended before it began`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1"), from: 1, at: .zero)
    _ = overlap.pass(intake("a 1"), from: 2, at: .zero)
    _ = overlap.ended(1, at: .zero)
    _ = overlap.begin(primary: 2, standby: 3)
    #expect(overlap.pass(intake("a 1"), from: 3, at: .zero).texts == ["a 1"])
    #expect(overlap.pass(intake("a 1"), from: 2, at: .zero).texts == [])
  }

  @Test func `rejected input and counts pass, whatever becomes of the ticks`() {
    var overlap = joined()
    var mixed = intake("a 1", at: 5)
    mixed.rejected = [RejectedInput(payload: [1], cause: "no JSON")]
    mixed.messages = 2
    for id in [2, 1, 1] as [FeedSession.ConnectionID] {
      let passed = overlap.pass(mixed, from: id, at: .zero)
      #expect((passed.rejected, passed.messages, passed.receivedAt) == (mixed.rejected, 2, 5))
    }
  }

  // MARK: Catching up

  @Test func `caught up means that every active stream was seen on both`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1", "b 1"), from: 1, at: .zero)
    _ = overlap.pass(intake("a 1"), from: 2, at: .seconds(2))
    #expect(!overlap.standing.isCaughtUp)
    _ = overlap.pass(intake("b 2"), from: 2, at: .seconds(3))
    #expect(!overlap.standing.isCaughtUp)
    _ = overlap.pass(intake("b 2"), from: 1, at: .seconds(4))
    #expect(overlap.standing.isCaughtUp)
    _ = overlap.pass(intake("c 1"), from: 1, at: .seconds(5))
    #expect(overlap.standing.isCaughtUp)
    _ = overlap.begin(primary: 1, standby: 3)
    #expect(!overlap.standing.isCaughtUp)
  }

  @Test func `what a connection that has ended was first with shows nothing of the one that came after it`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 8", "a 9"), from: 2, at: .zero)
    _ = overlap.ended(2, at: .seconds(2))
    _ = overlap.begin(primary: 1, standby: 3)
    overlap.standbyOpened(at: .seconds(3))
    // The primary lags: it still owes what the first standby had.
    #expect(overlap.pass(intake("a 8"), from: 1, lag: .seconds(9), at: .seconds(5)).texts == [])
    #expect(!overlap.standing.isCaughtUp)
    _ = overlap.pass(intake("a 20"), from: 3, at: .seconds(6))
    #expect(!overlap.standing.isCaughtUp)
    _ = overlap.pass(intake("a 20"), from: 1, at: .seconds(15))
    #expect(overlap.standing.isCaughtUp)
  }

  @Test func `a stream that the primary has not delivered for ten seconds does not count`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1", "b 1"), from: 1, at: .zero)
    _ = overlap.pass(intake("a 1"), from: 2, at: .seconds(9))
    #expect(!overlap.standing.isCaughtUp)
    _ = overlap.pass(intake("a 2"), from: 2, at: .seconds(10))
    #expect(overlap.standing.isCaughtUp)
  }

  @Test func `nothing seen on both, or too early: not caught up`() {
    var overlap = joined()
    #expect(overlap.deadline == .seconds(1))
    _ = overlap.pass(intake("a 1"), from: 1, at: .zero)
    _ = overlap.pass(intake("a 1"), from: 2, at: .milliseconds(999))
    #expect(!overlap.standing.isCaughtUp)
    _ = overlap.expire(at: .seconds(1))
    #expect(overlap.standing.isCaughtUp)
    #expect(overlap.deadline == nil)

    var silent = joined()
    _ = silent.expire(at: .seconds(5))
    _ = silent.pass(intake("a 1"), from: 2, at: .seconds(6))
    _ = silent.expire(at: .seconds(30))
    #expect(!silent.standing.isCaughtUp)
  }

  @Test func `before the standby is open nothing has caught up`() {
    var overlap = Overlap()
    _ = overlap.begin(primary: 1, standby: 2)
    _ = overlap.pass(intake("a 1"), from: 1, at: .seconds(5))
    #expect(overlap.deadline == nil)
    #expect(!overlap.standing.isCaughtUp)
  }

  @Test func `as long as a connection lags, what an ended one has delivered is remembered`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1"), from: 1, lag: .seconds(20), at: .seconds(1))
    #expect(overlap.pass(intake("a 9"), from: 2, at: .seconds(1)).texts == [])
    #expect(overlap.ended(2, at: .seconds(2)).texts == ["a 9"])
    // Which what is no tick does not change.
    _ = overlap.pass(intake(), from: 1, at: .seconds(11))
    #expect(overlap.expire(at: .seconds(12)).texts == [])
    #expect(overlap.pass(intake("a 8", "a 9"), from: 1, lag: .seconds(20), at: .seconds(21)).texts == ["a 8"])
    _ = overlap.pass(intake("a 10"), from: 1, lag: .zero, at: .seconds(22))
    _ = overlap.expire(at: .seconds(22))
    #expect(overlap.deadline == nil)
  }

  // MARK: How the two stand

  @Test func `a stream that the primary delivers and the standby does not is lacking after ten seconds`() {
    var overlap = joined()
    _ = overlap.pass(intake("a 1", "b 1"), from: 1, lag: .zero, at: .seconds(1))
    _ = overlap.pass(intake("a 1"), from: 2, at: .seconds(2))
    #expect(overlap.unproven(at: .seconds(2)) == .init(lacking: ["b"]))
    _ = overlap.pass(intake("a 2"), from: 1, lag: .zero, at: .seconds(10))
    #expect(overlap.standing.lacking == 0)
    _ = overlap.pass(intake("a 3"), from: 1, lag: .zero, at: .seconds(11))
    #expect(overlap.standing == .init(lacking: 1))
    #expect(overlap.unproven(at: .seconds(11)) == .init(lacking: ["b"]))
    _ = overlap.pass(intake("b 2"), from: 2, at: .seconds(12))
    _ = overlap.pass(intake("b 2"), from: 1, lag: .zero, at: .seconds(13))
    #expect(overlap.standing.isCaughtUp)
  }

  @Test func `what a primary that lags delivers was made before the standby was there`() {
    var overlap = joined()
    _ = overlap.pass(intake("b 1"), from: 1, lag: .seconds(15), at: .seconds(5))
    _ = overlap.pass(intake("a 9"), from: 2, at: .seconds(5))
    _ = overlap.pass(intake("a 1"), from: 1, lag: .seconds(15), at: .seconds(14))
    #expect(overlap.standing == .init(owed: 1, isLagging: true))
    _ = overlap.expire(at: .seconds(40))
    #expect(overlap.standing.owed == 1)
    #expect(overlap.unproven(at: .seconds(40)).isEmpty)
    _ = overlap.pass(intake("a 9"), from: 1, lag: .seconds(15), at: .seconds(41))
    #expect(overlap.standing.isCaughtUp)
  }

  @Test func `a stream that the primary should have delivered by now had been lost on it`() {
    var overlap = joined()
    _ = overlap.pass(intake("b 1"), from: 1, lag: .zero, at: .seconds(1))
    _ = overlap.pass(intake("b 1"), from: 2, at: .seconds(1))
    _ = overlap.pass(intake("a 1", at: 77), from: 2, at: .seconds(2))
    #expect(overlap.unproven(at: .seconds(11)).isEmpty)
    #expect(overlap.unproven(at: .seconds(12)) == .init(missedByPrimary: ["a": 77]))
  }

  @Test func `streams that both deliver without a common tick differ`() {
    var overlap = joined()
    for second in 1...12 {
      _ = overlap.pass(intake("a \(second)x"), from: 2, at: .seconds(second))
      _ = overlap.pass(intake("a \(second)y"), from: 1, lag: .zero, at: .seconds(second))
    }
    #expect(overlap.standing == .init(differing: 1))
    #expect(overlap.unproven(at: .seconds(12)).isEmpty)
  }

  @Test func `where no event says its time, the primary gets a minute`() {
    var overlap = joined()
    for second in 1...60 {
      _ = overlap.pass(intake("a \(second)x"), from: 2, at: .seconds(second))
      _ = overlap.pass(intake("a \(second)y"), from: 1, at: .seconds(second))
    }
    #expect(overlap.standing.owed == 1)
    _ = overlap.pass(intake("a z"), from: 1, at: .seconds(62))
    #expect(overlap.standing == .init(differing: 1))
  }

  @Test func `what a primary never had comes before what it had next`() {
    func timed(_ text: String, _ time: Int64) -> Intake {
      var intake = Intake(messages: 1, receivedAt: 1)
      intake.ticks.append(receivedAt: 1, eventTime: time, stream: "a", payload: text)
      return intake
    }
    var overlap = joined()
    #expect(overlap.pass(timed("2", 20), from: 2, at: .zero).texts == [])
    #expect(overlap.pass(timed("3", 30), from: 2, at: .zero).texts == [])
    #expect(overlap.pass(timed("1", 10), from: 1, at: .zero).texts == ["a 1"])
    #expect(overlap.pass(timed("3", 30), from: 1, at: .zero).texts == ["a 2", "a 3"])
    #expect(overlap.pass(timed("4", 40), from: 1, at: .zero).texts == ["a 4"])
  }
}
