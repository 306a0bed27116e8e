import TestSupport
import Ticks
import WAL

@testable import Ingest

/// An exchange with several streams, its connections with their faults, and a driver that does what a slot's decisions
/// say. It knows every tick that was made, and what came of it (`SlotWorld+Gaps`); its own view of the rules is naive.
/// What goes wrong is in `SlotWorld+Faults`.
final class SlotWorld {
  struct Stream {
    let name: String
    /// Milliseconds from tick to tick.
    let pause: ClosedRange<Int>
    /// Its events have ids that follow one another.
    let hasIDs: Bool
    var made: [Duration] = []
    /// How often each is in the log.
    var logged: [Int: Int] = [:]
    /// Not in the log, and not known to be in a gap that has ended.
    var open: Set<Int> = []
    /// Those that a connection has left out.
    var skipped: Set<Int> = []
    /// Those of them since which it has brought none of the stream: nobody can know.
    var exempt: Set<Int> = []
    /// Microseconds UTC of the first time that each was received.
    var receivedAt: [Int: Int64] = [:]
  }

  struct Row: CustomStringConvertible {
    var startedAt: Int64
    var endedAt: Int64?
    var cause: Gap.Cause
    var streams: Set<String>
    /// Of ids: those that are missing, and whether it is all of them.
    var ids: Range<Int>?
    var isOneSkip = false

    var description: String {
      let end = endedAt.map { "\(Double($0) / 1e6)" } ?? "open"
      return "\(cause) \(Double(startedAt) / 1e6)–\(end) \(streams.sorted())"
    }
  }

  enum Message {
    case reached, refused, ended, rubbish
    case judged(Subscriptions.Verdict)
    case opened
    case data(stream: Int, number: Int)
    case pong(Int)
  }

  enum Happening {
    case tick(Int)
    case fault
    case arrival(SlotPeer, Message)
    case thaw, resume
    case catchUp(SlotPeer)
    case deliversAll(SlotPeer)
    case askAgain(SlotPeer, [Int], tries: Int)
    case serverEnds(SlotPeer)
  }

  /// Nothing takes longer on its way, unless it lags.
  static let longestWay = 250
  /// A gap's ends are times of receipt, and after a lag so little lateness is none any more.
  static let slack = Duration.milliseconds(longestWay + 20) + EventPace.recovery

  var random: SplitMix64
  var decisions: SlotDecisions
  private var attempts = AttemptLimiter(limit: 10_000, window: .seconds(300))
  private(set) var now = Duration.seconds(1_000)
  private var agenda: [(time: Duration, what: Happening)] = []
  var streams: [Stream]
  var peers: [FeedSession.ConnectionID: SlotPeer] = [:]
  private var unread: [(SlotPeer, Message)] = []
  private var frozenSince: Duration?
  /// The log takes nothing: sockets are not read.
  private(set) var isPaused = false
  var isFrozen: Bool { frozenSince != nil }
  var isStopped = false
  private(set) var isFinished = false
  /// What the next connection meets.
  var dialFaults: Set<SlotFault> = []
  var faults: [SlotFault] = []
  private(set) var caused: Set<SlotFault> = []
  var firstOpenedAt: Duration?
  var rows: [ObjectIdentifier: Row] = [:]
  /// Keeps them apart for as long as the world lasts.
  var kept: [OpenGaps] = []
  /// Microseconds UTC, as the log has it.
  var watermark: Int64
  private(set) var troubles: [String] = []
  private(set) var steps = 0
  private var timersInARow = 0
  private var timerAt = Duration.zero
  private var story: [String] = []

  init(seed: UInt64, limits: FeedSession.Limits) {
    random = SplitMix64(seed: seed)
    let pauses = [50...400, 100...900, 200...1_200, 100...900, 300...2_500, 4_000...9_000]
    streams = pauses.enumerated().map { Stream(name: "s\($0)@trade", pause: $1, hasIDs: $0 % 3 == 1) }
    let rules = SlotDecisions.Rules(session: limits)
    decisions = SlotDecisions(
      SlotID(number: 1), streams: streams.map(\.name), isCovered: false, rules: rules,
      startedAt: Self.utc(.seconds(1_000)))
    watermark = Self.utc(.seconds(1_000))
  }

  static func utc(_ time: Duration) -> Int64 { Int64(time / .microseconds(1)) }
  var wall: Int64 { Self.utc(now) }

  func check(_ holds: Bool, _ what: @autoclosure () -> String) {
    guard !holds, troubles.count < 3 else { return }
    troubles.append("at \(now): \(what())\n" + story.suffix(40).joined(separator: "\n"))
  }

  func tell(_ what: @autoclosure () -> String) {
    if story.count > 400 { story.removeFirst(300) }
    story.append("  \(now / .seconds(1)) \(what())")
  }

  func milliseconds(_ range: ClosedRange<Int>) -> Duration {
    .milliseconds(Int.random(in: range, using: &random))
  }

  // MARK: Time

  func start() {
    decide { $0.handle(.started, at: $1, &$2) }
    for stream in streams.indices { schedule(.tick(stream), in: milliseconds(streams[stream].pause)) }
    // By then there are enough ticks to tell what a pause of a stream is.
    schedule(.fault, in: .seconds(20))
  }

  func run(for length: Duration) {
    let end = now + length
    while troubles.isEmpty, !isFinished {
      let next = agenda.first?.time ?? end
      let wanted = isFrozen ? nil : decisions.deadline
      if min(next, wanted ?? next) >= end { break }
      now = max(now, min(next, wanted ?? next))
      if let wanted, wanted <= now, wanted <= next {
        timersInARow = timerAt == now ? timersInARow + 1 : 1
        timerAt = now
        // What is done may make something else due.
        check(timersInARow < 5, "what is due is not done: \(decisions.dues)")
        decide { $0.timerFired(at: $1, &$2) }
      } else {
        happen(agenda.removeFirst().what)
      }
    }
    now = max(now, end)
  }

  func schedule(_ what: Happening, in wait: Duration) {
    let time = now + wait
    let index = agenda.lastIndex { $0.time <= time }.map { $0 + 1 } ?? 0
    agenda.insert((time, what), at: index)
  }

  private func happen(_ what: Happening) {
    switch what {
    case .tick(let stream):
      make(stream)
      schedule(.tick(stream), in: milliseconds(streams[stream].pause))
    case .fault:
      guard let fault = faults.randomElement(using: &random) else { return }
      if cause(fault) { caused.insert(fault) }
      schedule(.fault, in: milliseconds(100...15_000))
    case .arrival(let peer, let message): arrive(peer, message)
    case .thaw: thaw()
    case .resume: resume()
    case .catchUp(let peer): peer.lag = .zero
    case .deliversAll(let peer): peer.withheld = []
    case .askAgain(let peer, let streams, let tries): ask(peer, for: streams, tries: tries)
    case .serverEnds(let peer): serverEnds(peer)
    }
  }

  private func make(_ stream: Int) {
    let number = streams[stream].made.count
    streams[stream].made.append(now)
    if firstOpenedAt != nil { streams[stream].open.insert(number) }
    for peer in peers.values.sorted(by: { $0.id.number < $1.id.number }) where peer.sends(stream, at: now) {
      if peer.skips[stream, default: 0] > 0 {
        peer.skips[stream]? -= 1
        peer.skipped[stream, default: []].insert(number)
        streams[stream].skipped.insert(number)
      } else {
        send(.data(stream: stream, number: number), from: peer)
      }
    }
  }

  /// In order, whatever the lag was before.
  func send(_ message: Message, from peer: SlotPeer, after wait: Duration = .zero) {
    peer.lastArrival = max(peer.lastArrival, now + wait + peer.way + peer.lag)
    schedule(.arrival(peer, message), in: peer.lastArrival - now)
  }

  /// What a connection owes is lost with it.
  func lose(_ peer: SlotPeer) {
    agenda.removeAll {
      guard case .arrival(let other, .data) = $0.what else { return false }
      return other === peer
    }
    peer.lag = .zero
    peer.lastArrival = now
  }

  func freeze(for length: Duration) {
    frozenSince = now
    schedule(.thaw, in: length)
  }

  func thaw() {
    guard let since = frozenSince else { return }
    frozenSince = nil
    decide { $0.handle(.thawed(since: since), at: $1, &$2) }
    if !isPaused { readOn() }
  }

  func pause(for length: Duration) {
    isPaused = true
    decide { $0.handle(.paused, at: $1, &$2) }
    schedule(.resume, in: length)
  }

  func resume() {
    guard isPaused else { return }
    // A process that does not run does not resume.
    if isFrozen { return schedule(.resume, in: .seconds(1)) }
    isPaused = false
    decide { $0.handle(.resumed, at: $1, &$2) }
    readOn()
  }

  /// One socket after the other, several messages in one read.
  private func readOn() {
    let waiting = unread
    unread = []
    var seen: [SlotPeer] = []
    for (peer, _) in waiting where !seen.contains(where: { $0 === peer }) {
      seen.append(peer)
      var read = Read(limit: Int.random(in: 1...400, using: &random))
      for (other, message) in waiting where other === peer {
        switch message {
        case .data(let stream, let number): add(stream, number, from: peer, to: &read.intake)
        case .rubbish: read.addRubbish(from: peer)
        default:
          hand(over: &read, from: peer)
          arrive(peer, message)
          continue
        }
        if read.isToBeHandedOver(peer) { hand(over: &read, from: peer) }
      }
      hand(over: &read, from: peer)
    }
  }

  private func hand(over read: inout Read, from peer: SlotPeer) {
    let intake = read.take(at: wall)
    if intake.isEmpty || peer.isGone || peer.health == .dead { return }
    receive(intake, from: peer)
  }

  /// What one read of a socket brings, as a connection counts it.
  private struct Read {
    var intake = Intake()
    let limit: Int

    init(limit: Int) { self.limit = limit }

    mutating func addRubbish(from peer: SlotPeer) {
      intake.rejected.append(RejectedInput(payload: Array("{}".utf8), cause: "rubbish"))
      intake.messages += 1
      intake.rejectedSince += 1
      peer.rejectedInARow += 1
    }

    func isToBeHandedOver(_ peer: SlotPeer) -> Bool {
      peer.rejectedInARow == FeedSession.Limits.babble || intake.messages >= limit
    }

    mutating func take(at time: Int64) -> Intake {
      defer { intake = Intake() }
      intake.receivedAt = time
      return intake
    }
  }

  // MARK: What connections bring

  private func arrive(_ peer: SlotPeer, _ message: Message) {
    if isFrozen || isPaused { return unread.append((peer, message)) }
    if peer.isGone || peer.health == .dead { return }
    let id = peer.id
    switch message {
    case .reached:
      decide { decisions, _, _ in decisions.reached(id) }
      subscribe(peer)
    case .judged(let verdict):
      tell("\(id.number) \(verdict)")
      decide { $0.judged(verdict, by: id, at: $1, &$2) }
    case .opened:
      peer.isOpen = true
      firstOpenedAt = firstOpenedAt ?? now
      tell("\(id.number) opened")
      decide { $0.opened(id, at: $1, &$2) }
    case .data(let stream, let number): deliver(stream, number, from: peer)
    case .pong(let number):
      decide { $0.handle(.arrived(id), at: $1, &$2) }
      if number == peer.lastPing { decide { $0.handle(.answered(id), at: $1, &$2) } }
    case .rubbish:
      let rejected = RejectedInput(payload: Array("{}".utf8), cause: "rubbish")
      peer.rejectedInARow += 1
      receive(
        Intake(rejected: [rejected], messages: 1, receivedAt: wall, rejectedSince: 1), from: peer)
    case .refused, .ended:
      tell("\(id.number) ended")
      forget(peer)
      decide { $0.ended(id, cause: .closed, at: $1, &$2) }
    }
    if steps % 31 == 0 { checkAKillLosesNothing() }
  }

  private func deliver(_ stream: Int, _ number: Int, from peer: SlotPeer) {
    var intake = Intake(receivedAt: wall)
    add(stream, number, from: peer, to: &intake)
    receive(intake, from: peer)
  }

  private func add(_ stream: Int, _ number: Int, from peer: SlotPeer, to intake: inout Intake) {
    let made = streams[stream].made[number]
    peer.rejectedInARow = 0
    intake.messages += 1
    intake.rejectedSince = 0
    intake.ticks.append(
      receivedAt: wall, eventTime: Int64(made / .milliseconds(1)), stream: streams[stream].name,
      payload: "\(number)")
    if streams[stream].hasIDs, let ids = IDStep(after: Int64(number) + 99, last: Int64(number) + 100) {
      intake.steps.append(Intake.Step(tick: intake.ticks.count - 1, ids: ids))
    }
    peer.delivered += 1
    streams[stream].receivedAt[number] = streams[stream].receivedAt[number] ?? wall
    peer.skipped[stream] = peer.skipped[stream]?.filter { $0 > number }
  }

  private func receive(_ intake: Intake, from peer: SlotPeer) {
    let (lag, hasJumped) = decisions.noteTimes(of: intake, from: peer.id, at: now)
    // As the feed does.
    if hasJumped { decide { [now] in $0.handle(.thawed(since: now), at: $1, &$2) } }
    decide { $0.received(intake, from: peer.id, lag: lag, at: $1, &$2) }
  }

  func forget(_ peer: SlotPeer) {
    peer.isGone = true
    peer.hasServerEnded = true
    peers[peer.id] = nil
    for (stream, numbers) in peer.skipped { streams[stream].exempt.formUnion(numbers) }
  }

  // MARK: Decisions

  func decide(_ body: (inout SlotDecisions, SlotDecisions.Moment, inout AttemptLimiter) -> Void) {
    steps += 1
    let moment = SlotDecisions.Moment(now: now, utc: wall, random: .random(in: 0..<1, using: &random))
    body(&decisions, moment, &attempts)
    for action in decisions.takeActions() { perform(action) }
  }

  private func perform(_ action: SlotDecisions.Action) {
    check(!isFinished, "\(action) after the end")
    switch action {
    case .submit(let intake, let gaps):
      for change in gaps { note(change) }
      intake.ticks.withTexts { _, name, payload in
        log(String(decoding: name, as: UTF8.self), Int(String(decoding: payload, as: UTF8.self)) ?? -1)
      }
    case .connect(let id): connect(id)
    case .ping(let id):
      guard let peer = peers[id] else { return check(false, "a ping where nothing is open") }
      peer.lastPing += 1
      schedule(.arrival(peer, .pong(peer.lastPing)), in: peer.way * 2)
    case .close(let id):
      guard let peer = peers[id] else { return check(false, "a close where nothing is open") }
      tell("\(id.number) closed")
      peer.isClosing = true
      if Int.random(in: 0..<5, using: &random) > 0 { serverEnds(peer, in: milliseconds(0...6_000)) }
    case .abandon(let id):
      guard let peer = peers[id] else { return check(false, "nothing to abandon") }
      tell("\(id.number) abandoned")
      forget(peer)
    case .report(let report): tell("\(report)")
    case .found, .connectionsChanged: break
    case .finished:
      check(isStopped && peers.isEmpty, "finished too early")
      isFinished = true
    }
  }

  private func connect(_ id: FeedSession.ConnectionID) {
    let peer = SlotPeer(id, way: milliseconds(1...Self.longestWay))
    peers[id] = peer
    tell("\(id.number) dialed \(dialFaults)")
    check(peers.count <= 2, "\(peers.count) connections")
    dial(peer)
  }

  private func log(_ name: String, _ number: Int) {
    guard let stream = streams.firstIndex(where: { $0.name == name }), number >= 0 else {
      return check(false, "a tick that was not made: \(name) \(number)")
    }
    let count = streams[stream].logged[number, default: 0] + 1
    streams[stream].logged[number] = count
    streams[stream].open.remove(number)
    check(count == 1, "\(name) \(number) of \(streams[stream].made[number]) is in the log \(count) times")
  }
}
