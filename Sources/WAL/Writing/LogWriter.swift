import Base
import Logging

/// The thread that owns the log's only writing connection: appends, every other write, checkpoints.
///
/// Requests queue up under a lock and are committed in groups. A full volume is waited out and the same
/// group tried again; any other failure of a write or an fsync ends the writer for good, because after it
/// neither SQLite's cache nor the kernel's says what the disk holds.
final class LogWriter: Sendable {
  private enum Phase {
    case running
    /// Commit what is queued, then end.
    case closing
    case ended(LogError)
  }

  private struct State {
    var queue: CommitQueue<WriteRequest>
    var phase = Phase.running
    var roomWaiters: [@Sendable () -> Void] = []
    /// Of the piece of work at hand, on the monotonic clock and on the thread's own.
    var busySince: (time: Duration, processorTime: Duration)?
    var clock: ThreadClock?
    var diskLevel: DiskLevel?
    /// While the volume has no room for what is queued.
    var stall: Stall?
    /// Whether the volume has room for more ticks.
    var mayAppend = true
    /// Whether it has room for those that wait.
    var mayRetry = true
    var pause = AppendPause<PauseGap>()
    var upkeep: (settings: LogUpkeep.Settings, pace: UpkeepPace)?
    var upkeepWaiters: [@Sendable (Result<Void, any Error>) -> Void] = []
    /// The time, on the monotonic clock, at which the thread looks again by itself; `nil` while it does not sleep.
    var wakesAt: Duration?

    /// Whether the thread is to be woken, because it would sleep longer than what is queued may wait. True once: from
    /// then on it is as good as awake.
    mutating func takeWaking(now: Duration) -> Bool {
      guard let wakesAt else { return false }
      let isDue =
        switch queue.decide(now: now) {
        case .idle: false
        case .commitNow: true
        case .commitAfter(let delay): now + delay < wakesAt
        }
      if isDue { self.wakesAt = nil }
      return isDue
    }

    var hasRoom: Bool { mayAppend && queue.isHalfEmpty }

    mutating func takeRoomWaiters() -> [@Sendable () -> Void] {
      guard hasRoom else { return [] }
      defer { roomWaiters = [] }
      return roomWaiters
    }
  }

  /// The times at which requests that found no room are tried again, on the monotonic clock.
  private struct Stall {
    var retryAt: Duration
    /// The same for what may pass the ticks.
    var passingAt: Duration
  }

  private let state: Monitor<State>
  private let wallClock: @Sendable () -> Int64
  private let retryPause: Duration
  private let logger: Logger
  /// The last durable offset.
  let head: Watch<Offset>
  /// The count of commits that have opened or closed gaps.
  let gapChanges = Watch(0)
  /// Set once, when the writer can go on no more.
  let failure = Latch<LogError>()
  /// Set once, when the log's files have lost their names; requests are served until the end all the same.
  let loss = Latch<LogLoss>()
  /// Set when the thread is done and the connection closed.
  let ended = Latch<Void>()

  /// Starts the thread, which takes the connection over.
  init(
    connection: consuming sending SQLiteConnection, path: String, from note: HeadHint, lock: LogLock,
    options: TickLog.Options, logger: Logger
  ) throws(SystemError) {
    state = Monitor(State(queue: CommitQueue(limits: options.limits)))
    wallClock = options.wallClock
    retryPause = options.retryPause
    self.logger = logger
    head = Watch(note.head)
    let box = ConnectionBox(connection)
    _ = try DedicatedThread(named: "log-writer") { [self] in
      var loop = WriterLoop(
        connection: box.connection, path: path, from: note, lock: lock, options: options, logger: logger)
      run(&loop)
      ended.set(())
    }
  }

  // Safe because the connection is handed to the one thread that uses it from then on.
  // Breaks if the opener keeps a reference.
  private struct ConnectionBox: @unchecked Sendable {
    let connection: SQLiteConnection
    init(_ connection: SQLiteConnection) { self.connection = connection }
  }

  /// Bytes that wait for their commit, and how many may.
  var queueBytes: (waiting: Int, capacity: Int) {
    state.withLock { ($0.queue.bytes, $0.queue.limits.capacity) }
  }

  /// The piece of work that the thread is at; nil while it waits for some.
  var work: WriterWork? {
    state.withLock { state in
      guard let since = state.busySince else { return nil }
      return WriterWork(
        time: MonotonicClock.now() - since.time,
        processorTime: (state.clock?.now() ?? .zero) - since.processorTime)
    }
  }

  /// The last verdict on the volume; nil before the first piece of upkeep.
  var diskLevel: DiskLevel? { state.withLock { $0.diskLevel } }

  var isDiskFull: Bool { state.withLock { $0.stall != nil || !$0.mayAppend } }

  // MARK: Asking

  /// - Returns: whether the queue took it; if not, nothing happened and its completion is not called.
  /// - Throws: `LogError` when the writer is closed or has failed.
  func submit(_ request: WriteRequest) throws(LogError) -> Bool {
    let bytes = request.byteCount
    let (outcome, wakes) = state.withLock { state -> (Result<Bool, LogError>, Bool) in
      switch state.phase {
      case .ended(let error): return (.failure(error), false)
      case .closing: return (.failure(LogError(.closed, "the log is closing")), false)
      case .running: break
      }
      guard bytes == 0 || state.mayAppend else {
        refuse(request, &state)
        return (.success(false), true)
      }
      guard bytes == 0 || state.queue.admits(bytes: bytes) else { return (.success(false), false) }
      let now = MonotonicClock.now()
      add(request, bytes: bytes, &state, now: now)
      return (.success(true), state.stall != nil || state.takeWaking(now: now))
    }
    // To wake the thread costs more than to queue: it is left asleep where it wakes early enough by itself.
    if wakes { state.signal() }
    return try outcome.get()
  }

  /// Has the patient requests that are queued committed now.
  func hurry() {
    let wakes = state.withLock { state in
      state.queue.hurry()
      return state.takeWaking(now: MonotonicClock.now())
    }
    if wakes { state.signal() }
  }

  private func add(_ request: WriteRequest, bytes: Int, _ state: inout State, now: Duration) {
    var request = request
    if let first = request.ticks.entries.first,
      let gap = state.pause.appended(receivedAt: first.receivedAt, at: now)
    {
      let body = request.body
      request.body = { transaction in
        try gap.close(transaction, endedAt: first.receivedAt)
        try body?(transaction)
      }
    }
    state.queue.add(
      request, ticks: request.ticks.count, bytes: bytes, mayPass: request.mayPass,
      urgency: request.urgency, now: now)
    if request.urgency == .patient, request.isHurried?() == true { state.queue.hurry() }
  }

  /// The volume has no room for ticks: the first ones that are refused begin a gap.
  private func refuse(_ request: WriteRequest, _ state: inout State) {
    guard let last = request.ticks.entries.last,
      let gap = state.pause.refused(
        at: MonotonicClock.now(), make: { PauseGap(lastReceivedAt: last.receivedAt) })
    else { return }
    var opening = WriteRequest(body: gap.open) { [logger] outcome in
      guard case .failure(let error) = outcome else { return }
      logger.error(
        "the gap of a full volume could not be written: nothing in the log says that ticks are missing",
        metadata: ["error": "\(error)"])
    }
    opening.mayPass = true
    add(opening, bytes: 0, &state, now: MonotonicClock.now())
  }

  /// Calls back, once, when half of the queue is free again and the volume has room, or the writer has ended; on
  /// the writer's thread, or at once.
  func whenRoom(_ callback: @escaping @Sendable () -> Void) {
    let isRoom = state.withLock { state in
      if case .running = state.phase, !state.hasRoom {
        state.roomWaiters.append(callback)
        return false
      }
      return true
    }
    if isRoom { callback() }
  }

  /// Starts to trim and to watch the volume, or goes on with other settings.
  func startUpkeep(_ settings: LogUpkeep.Settings) {
    state.withLock { $0.upkeep = (settings, UpkeepPace(dueAt: MonotonicClock.now())) }
    state.signal()
  }

  /// Looks at once what is to be trimmed, and calls back on the writer's thread when nothing is left.
  func whenUpkeepIsIdle(_ callback: @escaping @Sendable (Result<Void, any Error>) -> Void) {
    let ended: LogError? = state.withLock { state in
      if case .ended(let error) = state.phase { return error }
      state.upkeepWaiters.append(callback)
      state.upkeep?.pace = UpkeepPace(dueAt: MonotonicClock.now())
      return nil
    }
    if let ended { callback(.failure(ended)) }
    state.signal()
  }

  /// Lets the queue empty, then ends the thread.
  func close() {
    state.withLock { state in
      if case .running = state.phase { state.phase = .closing }
    }
    state.signal()
  }

  // MARK: The thread

  private enum Next {
    case commit([WriteRequest], room: [@Sendable () -> Void])
    /// Of a stalled queue: what may pass.
    case commitPassing([WriteRequest])
    /// Nothing waits for room any more.
    case recover
    case upkeep(LogUpkeep.Settings)
    case close
  }

  private func next() -> Next {
    state.wait { state in
      let now = MonotonicClock.now()
      let step = next(&state, now: now)
      state.wakesAt =
        switch step {
        case .done: nil
        case .sleep: .seconds(Int64.max)
        case .sleepFor(let duration): now + duration
        }
      state.busySince = if case .done = step { (now, state.clock?.now() ?? .zero) } else { nil }
      return step
    }
  }

  private func next(_ state: inout State, now: Duration) -> Monitor<State>.Step<Next> {
    let isClosing = if case .closing = state.phase { true } else { false }
    let decision = state.queue.decide(now: now)
    let upkeep = isClosing ? nil : state.upkeep
    if let upkeep, upkeep.pace.isDue(now: now, isCommitDue: decision == .commitNow && state.stall == nil) {
      return .done(.upkeep(upkeep.settings))
    }
    let pause = upkeep.map { $0.pace.dueAt - now }
    if let stall = state.stall, !isClosing {
      if state.queue.hasPassing, now >= stall.passingAt {
        return .done(.commitPassing(state.queue.takePassing()))
      }
      if now >= stall.retryAt, state.mayRetry {
        return .done(state.queue.isEmpty ? .recover : .commit(state.queue.takeGroup(), room: []))
      }
      let retryAt = state.mayRetry ? stall.retryAt : now + retryPause
      let next = state.queue.hasPassing ? min(stall.passingAt, retryAt) : retryAt
      return .sleepFor(min(next - now, pause ?? next - now))
    }
    switch decision {
    case .idle: return isClosing ? .done(.close) : pause.map { .sleepFor($0) } ?? .sleep
    case .commitAfter(let delay) where !isClosing: return .sleepFor(min(delay, pause ?? delay))
    case .commitNow, .commitAfter:
      let group = state.queue.takeGroup()
      return .done(.commit(group, room: state.takeRoomWaiters()))
    }
  }

  private func run(_ loop: inout WriterLoop) {
    state.withLock { $0.clock = .own() }
    while true {
      switch next() {
      case .close:
        do {
          if let lost = try loop.close() { fail(lost) } else { end(LogError(.closed, "the log is closed")) }
        } catch {
          loop.abandon()
          fail(loop.explained(LogError("closing the log \(loop.path)", error)))
        }
        return
      case .upkeep(let settings):
        do throws(LogError) {
          try loop.keepLock()
          loop.lookAtNames()
          if let lost = loop.loss { loss.set(lost) }
          do throws(SQLiteError) {
            try upkeep(&loop, settings)
          } catch {
            throw LogError("trimming the log \(loop.path)", error)
          }
        } catch {
          loop.abandon()
          return fail(loop.explained(error))
        }
      case .recover:
        loop.disk?.writeSucceeded()
        state.withLock { $0.stall = nil }
        publish(loop)
      case .commit(let group, let room):
        for callback in room { callback() }
        guard commit(group, &loop, isPassing: false) else { return }
      case .commitPassing(let group):
        guard commit(group, &loop, isPassing: true) else { return }
      }
    }
  }

  /// - Returns: `false` if the writer has failed.
  private func commit(_ group: [WriteRequest], _ loop: inout WriterLoop, isPassing: Bool) -> Bool {
    do throws(LogError) {
      try loop.keepLock()
      try tryCommit(group, &loop, isPassing: isPassing)
      return true
    } catch {
      loop.abandon()
      fail(loop.explained(error))
      // A checkpoint may fail after the group's commit, which its requests know of by then.
      if !loop.isCommitted {
        for request in group { request.completion(.failure(error)) }
      }
      return false
    }
  }

  /// Commits one group, trying again for as long as another process holds a lock. On a full volume it goes
  /// back into the queue.
  private func tryCommit(
    _ group: [WriteRequest], _ loop: inout WriterLoop, isPassing: Bool
  ) throws(LogError) {
    var tries = 0
    while true {
      do throws(SQLiteError) {
        let outcomes = try loop.commit(group)
        head.update { $0 = loop.head }
        if loop.hasChangedGaps { gapChanges.update { $0 += 1 } }
        let now = MonotonicClock.now()
        for since in state.withLock({ $0.queue.takenSince }) {
          LogMetrics.shared.appendWait.record(now - since)
        }
        for (request, outcome) in zip(group, outcomes) { request.completion(outcome) }
        if !isPassing {
          loop.disk?.writeSucceeded()
          state.withLock { $0.stall = nil }
        }
        try loop.checkpointIfDue()
        if try loop.look() {
          state.withLock { $0.upkeep?.pace = UpkeepPace(dueAt: MonotonicClock.now()) }
        }
        return try noteRoom(&loop)
      } catch {
        guard !loop.isCommitted, let pause = loop.pauseBeforeRetry(after: error) else {
          throw LogError(
            loop.isCommitted ? "copying SQLite's WAL into the log's file" : "committing to the log", error)
        }
        if error.isDiskFull, !isClosing {
          try makeRoom(&loop, after: error)
          state.withLock { $0.queue.putBack() }
          // What may pass is tried at once with the ballast's room, and ticks when there is some of their own.
          stall(retryIn: pause, passingIn: isPassing ? pause : .zero)
          return publish(loop)
        }
        if isClosing {
          tries += 1
          // Once in the room that SQLite's WAL has, once in that of the ballast.
          guard error.isDiskFull, tries <= 2 else {
            throw LogError("committing to the log \(loop.path) at shutdown", error)
          }
          try makeRoom(&loop, after: error)
          continue
        }
        sleep(pause)
      }
    }
  }

  private func makeRoom(_ loop: inout WriterLoop, after error: SQLiteError) throws(LogError) {
    do {
      try loop.makeRoom(after: error)
    } catch {
      throw LogError("making room on the volume of the log \(loop.path)", error)
    }
  }

  private func stall(retryIn pause: Duration, passingIn passing: Duration) {
    let now = MonotonicClock.now()
    state.withLock { $0.stall = Stall(retryAt: now + pause, passingAt: now + passing) }
  }

  /// Looks whether a checkpoint or a piece of upkeep has found no room, and lets everybody know how it is.
  private func noteRoom(_ loop: inout WriterLoop) throws(SQLiteError) {
    if let error = loop.takeFull() {
      try loop.makeRoom(after: error)
      stall(retryIn: retryPause, passingIn: .zero)
    }
    publish(loop)
  }

  private func publish(_ loop: WriterLoop) {
    let mayAppend = loop.disk?.state.mayAppend ?? true
    let mayRetry = loop.disk?.state.mayRetry ?? true
    let level = loop.disk.map { DiskLevel($0.state.level) }
    let room = state.withLock { state in
      state.diskLevel = level
      state.mayRetry = mayRetry
      if mayAppend, !state.mayAppend { state.pause.ended(wall: wallClock(), at: MonotonicClock.now()) }
      state.mayAppend = mayAppend
      return state.takeRoomWaiters()
    }
    for callback in room { callback() }
  }

  private func upkeep(
    _ loop: inout WriterLoop, _ settings: LogUpkeep.Settings
  ) throws(SQLiteError) {
    let start = MonotonicClock.now()
    // Who asks while this piece is under way asks for the next one: this one has not seen what they mean.
    let asked = state.withLock { $0.upkeepWaiters.count }
    // A log that is to be saved stays as it is.
    let didWork = loop.loss == nil ? try loop.upkeep(settings) : false
    let end = MonotonicClock.now()
    try noteRoom(&loop)
    let waiters = state.withLock { state in
      state.upkeep?.pace.finished(from: start, to: end, didWork: didWork)
      guard !didWork else { return [@Sendable (Result<Void, any Error>) -> Void]() }
      let served = Array(state.upkeepWaiters.prefix(asked))
      state.upkeepWaiters.removeFirst(served.count)
      if !state.upkeepWaiters.isEmpty { state.upkeep?.pace = UpkeepPace(dueAt: end) }
      return served
    }
    for waiter in waiters { waiter(.success(())) }
  }

  private var isClosing: Bool {
    state.withLock { state in if case .closing = state.phase { true } else { false } }
  }

  private func sleep(_ pause: Duration) {
    let until = MonotonicClock.now() + pause
    state.wait { state in
      let left = until - MonotonicClock.now()
      if left <= .zero { return .done(()) }
      if case .closing = state.phase { return .done(()) }
      return .sleepFor(left)
    }
  }

  private func fail(_ error: LogError) {
    end(error)
    failure.set(error)
  }

  /// Refuses everything from now on, and what still waits.
  private func end(_ error: LogError) {
    let (requests, room, upkeep) = state.withLock { state in
      state.phase = .ended(error)
      defer {
        state.roomWaiters = []
        state.upkeepWaiters = []
      }
      return (state.queue.takeAll(), state.roomWaiters, state.upkeepWaiters)
    }
    for request in requests { request.completion(.failure(error)) }
    for callback in room { callback() }
    for waiter in upkeep { waiter(.failure(error)) }
  }
}
