import TestSupport
import WAL

@testable import Ingest

/// An exchange with a market, its connections with their lags and faults, and a driver that does what a session
/// says. It knows every tick there was, so it can tell what is missing; its own views of rules are naive.
final class FeedWorld {
  struct Manner {
    var limits = FeedSession.Limits()
    /// Milliseconds from tick to tick; nil: there are none.
    var market: ClosedRange<Int>? = 50...1_500
    var faults: [Fault] = []
    var attemptLimit = 60
  }

  enum Fault: CaseIterable {
    case serverEnds, deafens, dies, refuses, swallows, announcesShutdown
    case rotate, listChanges, pause, otherSlotDials
    /// The process does not run for a while; a connection lags for a while; one says what is no tick in place of ticks.
    case freezes, lags, babbles
    /// They meet only a connection that is dialed beside a sound one.
    case refusesStandby, swallowsStandby, standbyIsDeaf
  }

  private enum Health { case sound, deaf, dead }

  private final class Peer {
    let id: FeedSession.ConnectionID
    var lag: Duration
    /// Up to then it sends what is no tick in place of ticks.
    var babblesUntil = Duration.zero
    var lastPing = 0
    /// How late its last tick came.
    var late = Duration.zero
    var isLagging = false
    var lastArrival = Duration.zero
    var health = Health.sound
    /// It receives what is sent from then on.
    var subscribedAt: Duration?
    var isOpen = false
    var isClosing = false
    var hasServerEnded = false
    var isGone = false
    var seen: Set<Int> = []
    var firstSeenAt: Duration?

    init(_ id: FeedSession.ConnectionID, lag: Duration) {
      self.id = id
      self.lag = lag
    }
  }

  private enum Message {
    case opened
    case data(Int)
    case pong(Int)
    case refused, ended, rubbish
  }
  private enum Happening {
    case tick, fault
    case arrival(Peer, Message)
    case resume
    case thaw
    case catchUp(Peer)
  }
  struct Row: Equatable {
    var startedAt: Int64
    var endedAt: Int64?
    var cause: Gap.Cause

    var lengthInSeconds: Double { Double((endedAt ?? .max) - startedAt) / 1e6 }
  }

  private static let mostLag = Duration.milliseconds(300)
  private let manner: Manner
  private var random: SplitMix64
  private var session: FeedSession
  private var attempts: AttemptLimiter
  private(set) var now = Duration.seconds(1_000)
  private var agenda: [(time: Duration, what: Happening)] = []
  private var peers: [FeedSession.ConnectionID: Peer] = [:]
  private var primary: Peer?
  private var standby: Peer?
  private var overlapSeenOnBoth = false
  private var unread: [(Peer, Message)] = []
  private var isPaused = false
  private var pausedAt = Duration.zero
  private var isReadingUp = false
  private var frozenSince: Duration?
  private var isFrozen: Bool { frozenSince != nil }
  private var hasFaults = true
  private var nextDialFault: Fault?
  private var isListChanging = false
  private var isStopped = false
  private var isFinished = false
  private var firstOpenedAt: Duration?
  private var sent: [Duration] = []
  private var logged: Set<Int> = []
  /// What only a connection has brought that has not taken over: the log may not have it yet.
  private var held: Set<Int> = []
  private(set) var gaps: [Row] = []
  private(set) var attemptTimes: [Duration] = []
  private(set) var reports: [FeedSession.Report] = []
  private(set) var troubles: [String] = []
  private(set) var steps = 0

  init(seed: UInt64, _ manner: Manner) {
    self.manner = manner
    random = SplitMix64(seed: seed)
    session = FeedSession(startedAt: Self.utc(.seconds(1_000)), isCovered: false, limits: manner.limits)
    attempts = AttemptLimiter(limit: manner.attemptLimit, window: .seconds(300))
  }

  private static func utc(_ time: Duration) -> Int64 {
    time / .microseconds(1) > 0 ? Int64(time / .microseconds(1)) : 0
  }
  private var wall: Int64 { Self.utc(now) }

  private func check(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds, troubles.count < 5 { troubles.append("at \(now): \(what())") }
  }

  // MARK: Time

  func start() {
    handle(.started)
    schedule(.tick, in: tickPause)
    schedule(.fault, in: .seconds(1))
  }

  func run(for length: Duration) {
    let end = now + length
    while troubles.isEmpty, !isFinished {
      let next = agenda.first?.time ?? end
      let wanted = isFrozen ? nil : session.deadline
      let time = min(next, wanted ?? next, end)
      if time >= end, next >= end, (wanted ?? end) >= end { break }
      now = max(now, time)
      if let wanted, wanted <= now, wanted <= next {
        handle(.timer)
      } else {
        happen(agenda.removeFirst().what)
      }
    }
    now = max(now, end)
  }

  private func schedule(_ what: Happening, in wait: Duration) {
    let time = now + wait
    let index = agenda.lastIndex { $0.time <= time }.map { $0 + 1 } ?? 0
    agenda.insert((time, what), at: index)
  }

  private func milliseconds(_ range: ClosedRange<Int>) -> Duration {
    .milliseconds(Int.random(in: range, using: &random))
  }

  private var tickPause: Duration { manner.market.map { milliseconds($0) } ?? .seconds(1) }

  private func happen(_ what: Happening) {
    switch what {
    case .tick:
      if manner.market != nil { tick() }
      schedule(.tick, in: tickPause)
    case .fault:
      guard hasFaults else { return }
      if let fault = manner.faults.randomElement(using: &random) { cause(fault) }
      schedule(.fault, in: milliseconds(100...15_000))
    case .arrival(let peer, let message): arrive(peer, message)
    case .resume: resume()
    case .thaw: thaw()
    case .catchUp(let peer): peer.lag = milliseconds(1...300)
    }
  }

  private func tick() {
    sent.append(now)
    for peer in peers.values.sorted(by: { $0.id.number < $1.id.number }) {
      guard let since = peer.subscribedAt, since <= now, !peer.hasServerEnded, peer.health == .sound else {
        continue
      }
      if peer.babblesUntil <= now { send(.data(sent.count - 1), from: peer) }
    }
  }

  /// In order, whatever the lag was before.
  private func send(_ message: Message, from peer: Peer, after wait: Duration = .zero) {
    peer.lastArrival = max(peer.lastArrival, now + wait + peer.lag)
    schedule(.arrival(peer, message), in: peer.lastArrival - now)
  }

  private func resume() {
    guard isPaused else { return }
    isPaused = false
    handle(.resumed)
    let waiting = unread
    unread = []
    // After a short pause what lay there counts as on time, message by message.
    isReadingUp = now - pausedAt < .seconds(1)
    for (peer, message) in waiting { arrive(peer, message) }
    isReadingUp = false
  }

  private func thaw() {
    guard let since = frozenSince else { return }
    frozenSince = nil
    handle(.thawed(since: since))
    let waiting = unread
    unread = []
    for (peer, message) in waiting { arrive(peer, message) }
  }

  private func arrive(_ peer: Peer, _ message: Message) {
    if case .refused = message {
      if isFrozen { return unread.append((peer, message)) }
    } else {
      if peer.health == .dead { return }
      if isPaused || isFrozen { return unread.append((peer, message)) }
    }
    if peer.isGone {
      // A driver may well say something about a connection that it was to forget.
      if Bool.random(using: &random) { handle(.ended(peer.id, cause: .closed)) }
      return
    }
    switch message {
    case .opened:
      peer.isOpen = true
      firstOpenedAt = firstOpenedAt ?? now
      if peer !== standby, primary == nil || primary?.isGone == true || primary?.isClosing == true {
        primary = peer
      }
      handle(.opened(peer.id, at: wall))
    case .data(let number): deliver(number, from: peer)
    case .pong(let number): handle(number == peer.lastPing ? .answered(peer.id) : .arrived(peer.id))
    case .rubbish: handle(.rejected(peer.id))
    case .refused, .ended:
      forget(peer)
      handle(.ended(peer.id, cause: .closed))
    }
  }

  private func deliver(_ number: Int, from peer: Peer) {
    if peer === standby {
      if !logged.contains(number) { held.insert(number) }
    } else {
      held.remove(number)
    }
    logged.insert(number)
    peer.seen.insert(number)
    peer.firstSeenAt = peer.firstSeenAt ?? now
    if let primary, let standby, peer === primary || peer === standby {
      if primary.seen.contains(number), standby.seen.contains(number) { overlapSeenOnBoth = true }
    }
    let late = now - sent[number]
    peer.late = late
    peer.isLagging = late >= (peer.isLagging ? Self.mostLag : .seconds(1))
    handle(.data(peer.id, receivedAt: wall, lag: peer.isLagging ? late : .zero))
    guard let primary, let standby, standby.isOpen, !standby.isGone, !primary.isGone else { return }
    let isOwed =
      !overlapSeenOnBoth
      && standby.firstSeenAt.map { now - $0 < .seconds(10) || primary.late >= .seconds(1) } == true
    handle(.compared(.init(isCaughtUp: overlapSeenOnBoth, owed: isOwed ? 1 : 0, isLagging: isOwed)))
  }

  private func forget(_ peer: Peer) {
    peer.isGone = true
    peer.hasServerEnded = true
    peers[peer.id] = nil
  }

  // MARK: Faults

  private func cause(_ fault: Fault) {
    let open = peers.values.filter { $0.isOpen && !$0.isClosing }.sorted { $0.id.number < $1.id.number }
    if isFrozen, [.announcesShutdown, .rotate, .listChanges, .pause, .otherSlotDials].contains(fault) {
      return
    }
    switch fault {
    case .freezes where !isPaused && !isFrozen && !isStopped:
      frozenSince = now
      schedule(.thaw, in: milliseconds(2_000...40_000))
    case .freezes: break
    case .lags:
      // One that lags before it is compared looks like one that is quiet.
      guard !isListChanging, let peer = open.randomElement(using: &random), peer !== standby,
        peer.lag < .seconds(1)
      else { return }
      peer.lag = milliseconds(2_000...20_000)
      schedule(.catchUp(peer), in: milliseconds(1_000...60_000))
    case .babbles:
      guard !isListChanging, let peer = open.randomElement(using: &random), peer.health == .sound else {
        return
      }
      let length = milliseconds(3_000...20_000)
      peer.babblesUntil = now + length
      for tenth in 0..<Int(length / .milliseconds(100)) {
        send(.rubbish, from: peer, after: .milliseconds(100) * tenth)
      }
    case .serverEnds: open.randomElement(using: &random).map { serverEnds($0) }
    case .deafens where !isListChanging:
      // What is dead stays dead, and answers no pings.
      let peer = open.randomElement(using: &random)
      if peer?.health == .sound { peer?.health = .deaf }
    case .dies where !isListChanging: open.randomElement(using: &random)?.health = .dead
    case .announcesShutdown:
      if !isPaused { open.randomElement(using: &random).map { handle(.shutdownAnnounced($0.id)) } }
    case .rotate: handle(.rotate(listChanged: false))
    case .listChanges:
      // With another list, silence proves nothing; so none may be a fault here.
      guard
        peers.values.allSatisfy({
          $0.health == .sound && $0.lag < .seconds(1) && $0.late < .seconds(1) && $0.babblesUntil <= now
        })
      else { return }
      isListChanging = true
      handle(.rotate(listChanged: true))
    case .pause where !isPaused:
      isPaused = true
      pausedAt = now
      handle(.paused)
      schedule(.resume, in: milliseconds(Bool.random(using: &random) ? 1...500 : 1_000...40_000))
    case .otherSlotDials:
      if attempts.wait(at: now) == .zero {
        attempts.record(at: now)
        attemptTimes.append(now)
      }
    case .deafens, .dies, .pause: break
    case .refuses, .swallows, .refusesStandby, .swallowsStandby, .standbyIsDeaf: nextDialFault = fault
    }
  }

  private func serverEnds(_ peer: Peer, in wait: Duration = .zero) {
    guard !peer.hasServerEnded else { return }
    peer.hasServerEnded = true
    // What it owes is lost with it.
    if peer.lag >= .seconds(1) {
      agenda.removeAll {
        guard case .arrival(let other, .data) = $0.what else { return false }
        return other === peer
      }
      peer.lag = milliseconds(1...300)
      peer.lastArrival = now
    }
    send(.ended, from: peer, after: wait)
  }

  func deafenAll() {
    for peer in peers.values { peer.health = .deaf }
  }

  var rotations: Int {
    reports.filter { if case .rotated = $0 { true } else { false } }.count
  }

  func endFaults() {
    hasFaults = false
    nextDialFault = nil
    resume()
    thaw()
  }

  // MARK: Actions

  private func handle(_ event: FeedSession.Event) {
    steps += 1
    let random = Double.random(in: 0..<1, using: &self.random)
    let actions = session.handle(event, at: now, random: random, attempts: &attempts)
    for (index, action) in actions.enumerated() { perform(action, at: index, of: actions) }
    check(session.deadline.map { $0 > now } ?? true, "what is due is not done after \(event)")
    check(
      isFinished || isPaused || isStopped || session.deadline != nil, "nothing will ever happen again")
    if steps % 23 == 0, isLively { checkAKillLosesNothing() }
    if isStopped, peers.values.allSatisfy({ $0.isGone }) { check(isFinished, "not finished, none is left") }
  }

  private func perform(_ action: FeedSession.Action, at index: Int, of actions: [FeedSession.Action]) {
    check(!isFinished, "\(action) after the end")
    switch action {
    case .connect(let id): connect(id)
    case .beginOverlap(let primaryID, let standbyID):
      check(actions[index + 1] == .connect(standbyID), "an overlap without its connection")
      check(peers[primaryID]?.isOpen == true, "an overlap without a primary")
      primary = peers[primaryID]
      standby = Peer(standbyID, lag: milliseconds(1...300))
      primary?.seen = []
      overlapSeenOnBoth = false
    case .release:
      held = []
      primary = standby
      standby = nil
      isListChanging = false
    case .ping(let id):
      guard let peer = peers[id], peer.isOpen, !peer.isClosing else {
        return check(false, "a ping where nothing is open")
      }
      peer.lastPing += 1
      schedule(.arrival(peer, .pong(peer.lastPing)), in: min(peer.lag, Self.mostLag) * 2)
    case .close(let id):
      guard let peer = peers[id], peer.isOpen, !peer.isClosing else {
        return check(false, "a close where nothing is open")
      }
      peer.isClosing = true
      if standby === peer { standby = nil }
      if Int.random(in: 0..<5, using: &random) > 0 { serverEnds(peer, in: milliseconds(0...6_000)) }
    case .abandon(let id):
      guard let peer = peers[id] else { return check(false, "nothing to abandon") }
      if standby === peer { standby = nil }
      forget(peer)
    case .openGap(let startedAt, let cause):
      check(gaps.last.map { $0.endedAt != nil } ?? true, "a second gap for one loss")
      check((gaps.last?.endedAt ?? 0) <= startedAt && startedAt <= wall, "a gap from nowhere: \(action)")
      gaps.append(Row(startedAt: startedAt, endedAt: nil, cause: cause))
    case .closeGap(let endedAt):
      guard let gap = gaps.last, gap.endedAt == nil else { return check(false, "no gap to close") }
      check(endedAt >= gap.startedAt && endedAt <= wall, "a gap that ends before it begins")
      gaps[gaps.count - 1].endedAt = endedAt
    case .report(let report): reports.append(report)
    case .finished:
      check(isStopped && peers.isEmpty, "finished too early")
      isFinished = true
      // As the log does when the feed has ended.
      if gaps.last?.endedAt != nil || gaps.isEmpty {
        gaps.append(Row(startedAt: session.lastDataAt, endedAt: nil, cause: .shutdown))
      }
    }
  }

  private func connect(_ id: FeedSession.ConnectionID) {
    check(!isStopped, "a connection after the stop")
    attemptTimes.append(now)
    if attemptTimes.count > manner.attemptLimit {
      let earliest = attemptTimes[attemptTimes.count - 1 - manner.attemptLimit]
      check(now - earliest >= .seconds(300), "an attempt too many")
    }
    let isStandby = standby?.id == id
    let peer = isStandby ? standby! : Peer(id, lag: milliseconds(1...300))
    peers[id] = peer
    check(peers.count <= 2, "\(peers.count) connections")
    let fault = nextDialFault
    nextDialFault = nil
    switch fault {
    case .refuses: return schedule(.arrival(peer, .refused), in: milliseconds(0...3_000))
    case .swallows: return
    case .refusesStandby where isStandby:
      return schedule(.arrival(peer, .refused), in: milliseconds(0...3_000))
    case .swallowsStandby where isStandby: return
    case .standbyIsDeaf where isStandby && !isListChanging: peer.health = .deaf
    default: break
    }
    let wait = milliseconds(1...2_000)
    peer.subscribedAt = now + wait
    schedule(.arrival(peer, .opened), in: wait + peer.lag)
  }

  // MARK: The end

  func stop() {
    thaw()
    isStopped = true
    handle(Bool.random(using: &random) ? .stopped : .retired)
  }

  func checkIsLive() {
    check(primary.map { $0.isOpen && !$0.isGone && $0.health == .sound } ?? false, "not live again")
    check(gaps.last?.endedAt != nil || gaps.isEmpty, "a gap stays open: \(gaps)")
    check(sent.last.map { now - $0 > .seconds(3) } ?? true || logged.contains(sent.count - 5), "deaf")
  }

  func checkIsFinished() { check(isFinished, "stopped, but not finished") }

  /// Where there may be nothing for long, nobody can tell a deaf connection from a quiet market.
  private var isLively: Bool { manner.market.map { $0.upperBound < 5_000 } ?? false }

  /// If the process were killed now: each tick is in the log or in a gap, the one among them that the next start
  /// would open.
  private func checkAKillLosesNothing() {
    guard let firstOpenedAt, troubles.isEmpty, !isReadingUp else { return }
    let isOpen = gaps.last.map { $0.endedAt == nil } ?? false
    let watermark = isOpen ? nil : session.lastDataAt
    for (number, time) in sent.enumerated() where !logged.contains(number) || held.contains(number) {
      guard time > firstOpenedAt else { continue }
      let from = Self.utc(time + Self.mostLag)
      let to = Self.utc(time - Self.mostLag)
      let isCovered =
        watermark.map { $0 <= from } == true
        || gaps.contains { $0.startedAt <= from && ($0.endedAt ?? .max) >= to }
      check(isCovered, "after a kill now tick \(number) of \(time) would be missing without a word")
    }
  }

  /// Each tick is in the log, or a gap says that it may be missing.
  func checkNothingIsMissing() {
    guard let firstOpenedAt else { return }
    for (number, time) in sent.enumerated() where !logged.contains(number) {
      // Those of the last moment are still on their way.
      guard time > firstOpenedAt, time < now - .seconds(1) else { continue }
      let from = Self.utc(time + Self.mostLag)
      let to = Self.utc(time - Self.mostLag)
      let isCovered = gaps.contains { $0.startedAt <= from && ($0.endedAt ?? .max) >= to }
      check(isCovered, "tick \(number) of \(time) is missing without a word; gaps: \(gaps.suffix(4))")
    }
  }
}
