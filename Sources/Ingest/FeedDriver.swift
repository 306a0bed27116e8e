import Base
import Logging
import NIOCore
import NIOSSL
import WAL

/// The part of a feed that its slots share: the plan of streams, the attempts to connect, the way into the log, and
/// what is counted and said (`FeedDriver+Reports`).
///
/// Lives on one event loop, as its slots, their connections and the handover do; nothing else touches them.
final class FeedDriver {
  /// The part that does not change while the feed runs.
  struct Environment: Sendable {
    var endpoint: FeedEndpoint
    /// Nil for `ws://`.
    var security: NIOSSLContext?
    var wallClock: @Sendable () -> Int64
    var random: @Sendable () -> Double
    var limits = FeedSession.Limits()
    var overlap = Overlap.Limits()
    var backoff = FeedSession.backoff
    var exchange: ExchangeLimits
    /// The lateness of the loop's turns, and of an event, that counts.
    var lateness = Duration.seconds(1)
    var resolve: HostLookup.Resolve = HostLookup.system
    var logger: Logger
  }

  enum State { case running, stopping, finished }

  let environment: Environment
  let counters: FeedCounters
  let loop: NIOIsolatedEventLoop
  let addresses: HostAddresses
  private let log: any FeedLog
  private let finished: EventLoopPromise<[FeedEnd]>
  var state = State.running
  var attempts: AttemptLimiter
  /// As the operator gave them.
  var streams: [String]
  private var plan: StreamPlan
  var slots: [SlotID: FeedSlot] = [:]
  /// Those without streams whose connections are not closed yet.
  var retiring: [SlotID: FeedSlot] = [:]
  private var ends: [FeedEnd] = []
  private var inherited: InheritedGaps
  var watch = StreamWatch()
  /// As the last review found them.
  var silentStreams: Set<String> = []
  private var handover: Handover?
  private var isPaused = false
  private var account: CompletenessAccount
  private var freezes: FreezeWatch
  var reviews: Scheduled<Void>?
  var messages: FeedMessages

  /// The pause between two looks at streams that may have gone silent.
  static let reviewPause = TimeAmount.seconds(10)

  /// - Parameters:
  ///   - start: what the log knows of earlier runs.
  ///   - finished: gets how the slots stood in the end, when all that was received is durable.
  init(
    environment: Environment, streams: [String], start: FeedStart, log: any FeedLog, counters: FeedCounters,
    loop: any EventLoop, finished: EventLoopPromise<[FeedEnd]>
  ) {
    self.environment = environment
    self.log = log
    self.counters = counters
    self.loop = loop.assumeIsolated()
    addresses = HostAddresses(environment.resolve, loop: self.loop)
    self.finished = finished
    attempts = AttemptLimiter(
      limit: environment.exchange.attempts, window: environment.exchange.attemptWindow,
      ages: start.attemptAges, at: Self.time(of: self.loop))
    self.streams = streams
    account = CompletenessAccount(since: environment.wallClock())
    plan = StreamPlan(streams: streams, capacity: environment.endpoint.capacity(environment.exchange))
    inherited = InheritedGaps(start.openGaps)
    freezes = FreezeWatch(tolerance: environment.lateness)
    messages = FeedMessages(logger: environment.logger, host: environment.endpoint.hostHeader)
    if let end = start.heldUntil { goOnHolding(until: end) }
    handover = Handover(log: log, loop: self.loop, roomAgain: { self.resume() }, failed: { self.fail($0) })
  }

  func start() {
    inherited.setSlots(plan.slots)
    recordPlan()
    for id in plan.slots.keys.sorted() { addSlot(id) }
    adoptStreamGaps()
    connectionsChanged()
    scheduleReview()
    turned()
    scheduleBeat()
  }

  // MARK: Whether the process runs

  /// The loop turns. To be told before anything that a socket brings is looked at.
  func turned() {
    let clocks = FreezeWatch.Clocks(monotonic: now, boot: MonotonicClock.sinceBoot())
    if let freeze = freezes.turn(clocks) { thawed(since: freeze.since, length: freeze.length) }
  }

  /// The times of events have jumped ahead of this machine's clocks: it had been paused, and they with it.
  func eventsJumped() { thawed(since: now, length: nil) }

  private func thawed(since time: Duration, length: Duration?) {
    guard state == .running else { return }
    messages.thawed(after: length, at: now)
    for slot in Array(slots.values) + Array(retiring.values) { slot.thawed(since: time) }
  }

  private func scheduleBeat() {
    guard state != .finished else { return }
    counters.update { $0.turnedAt = MonotonicClock.now() }
    _ = loop.scheduleTask(in: TimeAmount(FreezeWatch.beat)) {
      self.turned()
      self.scheduleBeat()
    }
  }

  /// Gaps of single streams end with their own ticks, each in the slots that carry them.
  private func adoptStreamGaps() {
    for gap in inherited.takeStreamGaps(slots: Set(slots.values.flatMap(\.streams))) {
      var isShared = false
      for id in slots.keys.sorted() {
        guard let slot = slots[id], !Set(slot.streams).isDisjoint(with: gap.streams) else { continue }
        slot.adopt(gap, isShared: isShared)
        isShared = true
      }
    }
  }

  func obey(_ commands: FeedCommands.Pending) {
    guard state == .running else { return }
    if let streams = commands.streams { update(streams: streams) }
    if commands.isRotating { for slot in Array(slots.values) { slot.rotate() } }
    if commands.isStopping { stop() }
  }

  // MARK: Slots

  private func addSlot(_ id: SlotID) {
    let streams = plan.slots[id] ?? []
    let slot = FeedSlot(id: id, streams: streams, isCovered: inherited.cover(streams), feed: self)
    slots[id] = slot
    slot.start()
  }

  private func recordPlan() {
    let driver = NIOLoopBound(self, eventLoop: loop.nonisolated())
    let slots = Dictionary(uniqueKeysWithValues: plan.slots.map { ($0.key.number, $0.value) })
    log.setStreams(streams, slots: slots) { result in
      guard case .failure(let error) = result else { return }
      driver.eventLoop.execute { driver.value.fail(error) }
    }
  }

  private func update(streams: [String]) {
    let before = Set(plan.slots.values.joined())
    let changes = plan.update(to: streams)
    guard !changes.isEmpty else { return }
    inherited.setSlots(plan.slots)
    watch.unsubscribed(Array(before.subtracting(streams)))
    self.streams = streams
    recordPlan()
    for id in changes.retired {
      guard let slot = slots.removeValue(forKey: id) else { continue }
      retiring[id] = slot
      slot.retire()
    }
    for id in changes.changed {
      slots[id]?.change(to: plan.slots[id] ?? [], resubscribes: environment.endpoint.ownTarget == nil)
    }
    for id in changes.added { addSlot(id) }
    connectionsChanged()
  }

  /// The slot has no connection any more, and gets none.
  func finished(_ slot: FeedSlot) {
    if retiring.removeValue(forKey: slot.id) != nil {
      if let gaps = slot.openGap { inherited.adopt(gaps, streams: slot.streams) }
      for (gaps, streams) in slot.takeStreamGaps() { inherited.adopt(gaps, streams: streams) }
    } else if slots.removeValue(forKey: slot.id) != nil {
      ends.append(FeedEnd(streams: slot.streams, lastDataAt: slot.lastDataAt))
    }
    connectionsChanged()
    finishWhenDrained()
  }

  // MARK: The end

  /// Ends the connections, hands over what still comes of them, and finishes when it is durable.
  private func stop() {
    guard state == .running else { return }
    state = .stopping
    reviews?.cancel()
    for slot in Array(slots.values) + Array(retiring.values) { slot.stop() }
    finishWhenDrained()
  }

  private func finishWhenDrained() {
    guard state == .stopping, slots.isEmpty, retiring.isEmpty else { return }
    if let last = account.last(of: watch, utc: environment.wallClock()) {
      handover?.submit(Intake(), gaps: [.completeness(last)])
    }
    handover?.whenDrained { self.finish(.success(self.ends)) }
  }

  func fail(_ error: any Error) { finish(.failure(error)) }

  private func finish(_ result: Result<[FeedEnd], any Error>) {
    guard state != .finished else { return }
    state = .finished
    reviews?.cancel()
    for slot in Array(slots.values) + Array(retiring.values) { slot.drop() }
    slots = [:]
    retiring = [:]
    handover = nil
    connectionsChanged()
    finished.completeWith(result)
  }

  // MARK: What slots need

  private static func time(of loop: NIOIsolatedEventLoop) -> Duration {
    .nanoseconds(Int64(loop.nonisolated().now.uptimeNanoseconds))
  }

  /// Of a monotonic clock.
  var now: Duration { Self.time(of: loop) }

  /// Gives a slot what its decisions depend on.
  func decide(_ body: (SlotDecisions.Moment, inout AttemptLimiter) -> Void) {
    let moment = SlotDecisions.Moment(
      now: now, utc: environment.wallClock(), random: environment.random())
    body(moment, &attempts)
  }

  /// Calls back on the loop when the attempt is durable: a restart must know of it.
  func recordAttempt(_ done: @escaping () -> Void) {
    counters.update { $0.attempts += 1 }
    let bound = NIOLoopBound((driver: self, done: done), eventLoop: loop.nonisolated())
    log.recordAttempt(at: environment.wallClock(), keeping: environment.exchange.attemptMemory) { result in
      bound.eventLoop.execute {
        switch result {
        case .success: bound.value.done()
        case .failure(let error): bound.value.driver.fail(error)
        }
      }
    }
  }

  /// Gives ticks and gaps to the log, in one commit.
  func submit(_ intake: Intake, gaps: [GapChange] = []) {
    guard state != .finished, !intake.isEmpty || !gaps.isEmpty else { return }
    watch.note(intake.ticks, at: now)
    for name in intake.arrays { watch.noteArray(name, at: now) }
    let completeness =
      intake.ticks.isEmpty ? nil : account.due(of: watch, at: now, utc: environment.wallClock())
    handover?.submit(intake, gaps: gaps + (completeness.map { [.completeness($0)] } ?? []))
    if !intake.rejected.isEmpty { messages.rejected(intake.rejected, at: now) }
    let late = watch.late
    let isFull = !mayRead
    FeedMetrics.shared.lateTicks.increment(by: late - counters.statistics.late)
    let begun = gaps.count { $0.isBeginning }
    counters.update {
      $0.ticks += intake.ticks.count
      $0.rejected += intake.rejected.count
      $0.gaps += begun
      $0.late = late
      $0.isPaused = isFull
    }
    // Not from within a slot that is in the middle of its actions.
    if isFull, !isPaused { loop.execute { self.pauseIfFull() } }
  }

  /// Says that data has arrived on a connection of the slot that is open.
  /// - Returns: the ends of gaps that earlier runs left.
  func dataArrived(_ slot: FeedSlot, at time: Int64) -> [GapChange] {
    inherited.dataArrived(slot.id, at: time)
  }

  /// A server that drops a client which could not read for long has a reason on this side.
  var lossCause: Gap.Cause {
    if mayRead { return .closed }
    return log.isDiskFull ? .diskFull : .queueFull
  }

  // MARK: Holding the exchange back

  var mayRead: Bool { handover?.isFull == false }

  private func pauseIfFull() {
    guard !mayRead, !isPaused, state != .finished else { return }
    isPaused = true
    for slot in Array(slots.values) + Array(retiring.values) { slot.pause() }
  }

  private func resume() {
    counters.update { $0.isPaused = false }
    isPaused = false
    for slot in Array(slots.values) + Array(retiring.values) { slot.resume() }
  }

  // MARK: A pause that the exchange asks for

  /// True while nobody may dial, because the exchange has asked for a pause.
  var isHeldBack: Bool { attempts.hold(at: now) > .zero }

  func hold(_ asked: RetryAfter, _ reason: FeedError) {
    let time = environment.wallClock()
    let wait = asked.wait(at: time)
    guard wait > .zero, attempts.hold(until: now + wait) else { return }
    let until = time + Int64(wait / .microseconds(1))
    messages.held(reason, for: wait, until: until, at: now)
    let driver = NIOLoopBound(self, eventLoop: loop.nonisolated())
    log.recordHold(until: until) { result in
      guard case .failure(let error) = result else { return }
      driver.eventLoop.execute { driver.value.fail(error) }
    }
  }

  /// - Parameter end: microseconds UTC. By a clock that was set back it may lie far ahead.
  private func goOnHolding(until end: Int64) {
    let time = environment.wallClock()
    let wait = min(Duration.microseconds(end) - .microseconds(time), RetryAfter.longest)
    guard wait > .zero, attempts.hold(until: now + wait) else { return }
    messages.stillHeld(for: wait, until: time + Int64(wait / .microseconds(1)))
  }
}
