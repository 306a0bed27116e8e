import TestSupport
import Testing
import WAL

@testable import Ingest

@Suite struct FeedSessionTests {
  typealias Action = FeedSession.Action

  private func session(isGapOpen: Bool = false) -> Driven {
    var backOff = BackOff()
    backOff.first = .seconds(1)
    backOff.limit = .seconds(8)
    return Driven(FeedSession(startedAt: 1000, isGapOpen: isGapOpen, backOff: backOff))
  }

  private func id(_ number: Int) -> FeedSession.ConnectionID { .init(number: number) }

  @Test func `a start connects, with a limit on the time for opening`() {
    let session = session()
    #expect(
      session.handle(.started, at: .zero, random: 0) == [.setTimer(.seconds(30)), .connect(id(1))])
    #expect(session.handle(.opened(id(1)), at: .seconds(1), random: 0) == [.cancelTimer])
    #expect(session.dataReceived(at: 2000) == false)
  }

  @Test func `a first attempt that fails opens a gap from the program's start, the next ones none`() {
    let session = session()
    _ = session.handle(.started, at: .zero, random: 0)
    #expect(
      session.handle(.ended(id(1), cause: .closed), at: .seconds(1), random: 0) == [
        .openGap(startedAt: 1000, cause: .refused), .setTimer(.milliseconds(500)),
      ])
    #expect(
      session.handle(.timer, at: .seconds(2), random: 0) == [.setTimer(.seconds(30)), .connect(id(2))])
    #expect(
      session.handle(.ended(id(2), cause: .closed), at: .seconds(3), random: 0) == [.setTimer(.seconds(1))])
    _ = session.handle(.timer, at: .seconds(4), random: 0)
    _ = session.handle(.opened(id(3)), at: .seconds(5), random: 0)
    #expect(session.dataReceived(at: 9000))
    #expect(!session.dataReceived(at: 9001))
  }

  @Test(arguments: [Gap.Cause.closed, .queueFull, .diskFull])
  func `a lost connection opens a gap from the last data`(_ cause: Gap.Cause) {
    let session = session()
    _ = session.handle(.started, at: .zero, random: 0)
    _ = session.handle(.opened(id(1)), at: .seconds(1), random: 0)
    _ = session.dataReceived(at: 5000)
    #expect(
      session.handle(.ended(id(1), cause: cause), at: .seconds(2), random: 1) == [
        .openGap(startedAt: 5000, cause: cause), .setTimer(.seconds(1)),
      ])
  }

  @Test func `a gap of an earlier run stays the only one until data comes`() {
    let session = session(isGapOpen: true)
    _ = session.handle(.started, at: .zero, random: 0)
    let actions = session.handle(.ended(id(1), cause: .closed), at: .seconds(1), random: 0)
    #expect(actions == [.setTimer(.milliseconds(500))])
    #expect(session.dataReceived(at: 2000))
  }

  @Test func `an attempt that takes too long is abandoned, and what it still says is ignored`() {
    let session = session()
    _ = session.handle(.started, at: .zero, random: 0)
    #expect(
      session.handle(.timer, at: .seconds(30), random: 0) == [
        .abandon(id(1)), .openGap(startedAt: 1000, cause: .refused), .setTimer(.milliseconds(500)),
      ])
    #expect(session.handle(.opened(id(1)), at: .seconds(30), random: 0) == [])
    #expect(session.handle(.ended(id(1), cause: .closed), at: .seconds(30), random: 0) == [])
    #expect(session.handle(.timer, at: .seconds(31), random: 0).last == .connect(id(2)))
  }

  @Test(arguments: [(59, 2), (60, 0)])
  func `back-off starts again after a healthy minute only`(_ seconds: Int, _ failuresKept: Int) {
    let session = session()
    _ = session.handle(.started, at: .zero, random: 0)
    _ = session.handle(.ended(id(1), cause: .closed), at: .zero, random: 0)
    _ = session.handle(.timer, at: .zero, random: 0)
    _ = session.handle(.ended(id(2), cause: .closed), at: .zero, random: 0)
    _ = session.handle(.timer, at: .zero, random: 0)
    _ = session.handle(.opened(id(3)), at: .zero, random: 0)
    let actions = session.handle(.ended(id(3), cause: .closed), at: .seconds(seconds), random: 0)
    #expect(actions.last == .setTimer(.milliseconds(500 * (1 << failuresKept))))
  }

  @Test func `a stop ends whatever there is, and nothing begins afterwards`() {
    for opened in [false, true] {
      let session = session()
      _ = session.handle(.started, at: .zero, random: 0)
      if opened { _ = session.handle(.opened(id(1)), at: .zero, random: 0) }
      let actions = session.handle(.stopped, at: .seconds(1), random: 0)
      #expect(actions == [.cancelTimer, opened ? .close(id(1)) : .abandon(id(1))])
      for event in [.timer, .started, .ended(id(1), cause: .closed), .stopped] as [FeedSession.Event] {
        let later = session.handle(event, at: .seconds(2), random: 0)
        #expect(later == [] || later == [.cancelTimer])
      }
    }
  }

  /// Random events, late and senseless ones among them, against what must hold whatever happens.
  @Test(arguments: 0..<200 as Range<UInt64>)
  func `whatever happens, gaps alternate, attempts stay few, and one timer or connection is alive`(
    seed: UInt64
  ) {
    var random = SplitMix64(seed: seed)
    let session = Driven(
      FeedSession(startedAt: 0, isGapOpen: false, limiter: AttemptLimiter(limit: 20, window: .seconds(60))))
    var now = Duration.zero
    var wall: Int64 = 0
    var isGapOpen = false
    var lastAlive: Int64 = 0
    var current: FeedSession.ConnectionID?
    var isOpen = false
    var isTimerSet = false
    var attempts: [Duration] = []
    for step in 0..<400 {
      now += .milliseconds(Int64.random(in: 0...40_000, using: &random))
      wall += 1
      let number = (current?.number ?? 1) - Int.random(in: 0...1, using: &random)
      let target = FeedSession.ConnectionID(number: number)
      let event: FeedSession.Event
      switch step == 0 ? 0 : Int.random(in: 1...5, using: &random) {
      case 0: event = .started
      case 1: event = .opened(target)
      case 2: event = .ended(target, cause: .closed)
      case 3:
        if !isTimerSet { continue }
        isTimerSet = false
        event = .timer
      default:
        if !isOpen { continue }
        #expect(session.dataReceived(at: wall) == isGapOpen, "seed \(seed)")
        isGapOpen = false
        lastAlive = wall
        continue
      }
      if event == .opened(target), target == current { isOpen = true }
      if case .ended(current, _) = event { (current, isOpen) = (nil, false) }
      for action in session.handle(event, at: now, random: 0.5) {
        switch action {
        case .connect(let id):
          #expect(current == nil, "seed \(seed)")
          current = id
          attempts.append(now)
        case .abandon(let id):
          #expect(current == id && !isOpen, "seed \(seed)")
          current = nil
        case .setTimer: isTimerSet = true
        case .cancelTimer: isTimerSet = false
        case .openGap(let startedAt, _):
          #expect(!isGapOpen && startedAt == lastAlive, "seed \(seed)")
          isGapOpen = true
        case .close: Issue.record("nobody stopped it, seed \(seed)")
        }
      }
      #expect(isTimerSet || isOpen, "nothing will ever happen again, seed \(seed)")
      #expect(isOpen || isGapOpen || current != nil, "seed \(seed)")
    }
    for (index, time) in attempts.enumerated() where index >= 20 {
      #expect(time - attempts[index - 20] >= .seconds(60), "seed \(seed)")
    }
  }
}

/// A session behind a reference, since `#expect` cannot call what changes a value.
private final class Driven {
  private var session: FeedSession

  init(_ session: FeedSession) { self.session = session }

  func handle(_ event: FeedSession.Event, at now: Duration, random: Double) -> [FeedSession.Action] {
    session.handle(event, at: now, random: random)
  }

  func dataReceived(at time: Int64) -> Bool { session.dataReceived(at: time) }
}
