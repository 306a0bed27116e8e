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
    var isDiskFull = false
  }

  private let state: Monitor<State>
  /// The last durable offset.
  let head: Watch<Offset>
  /// How many commits have opened or closed gaps.
  let gapChanges = Watch(0)
  /// Set once, when the writer can go on no more.
  let failure = Latch<LogError>()
  /// Set when the thread is done and the connection closed.
  let ended = Latch<Void>()

  /// Starts the thread, which takes the connection over.
  init(
    connection: consuming sending SQLiteConnection, head: Offset, options: TickLog.Options, logger: Logger
  ) {
    state = Monitor(State(queue: CommitQueue(limits: options.limits)))
    self.head = Watch(head)
    let box = ConnectionBox(connection)
    _ = DedicatedThread { [self] in
      var loop = WriterLoop(connection: box.connection, head: head, options: options, logger: logger)
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

  var isDiskFull: Bool { state.withLock { $0.isDiskFull } }

  // MARK: Asking

  /// - Returns: whether the queue took it; if not, nothing happened and its completion is not called.
  /// - Throws: `LogError` when the writer is closed or has failed.
  func submit(_ request: WriteRequest) throws(LogError) -> Bool {
    let bytes = request.byteCount
    let outcome: Result<Bool, LogError> = state.withLock { state in
      switch state.phase {
      case .ended(let error): return .failure(error)
      case .closing: return .failure(LogError(.closed, "the log is closing"))
      case .running: break
      }
      guard bytes == 0 || state.queue.admits(bytes: bytes) else { return .success(false) }
      state.queue.add(request, ticks: request.ticks.count, bytes: bytes, now: MonotonicClock.now())
      return .success(true)
    }
    state.signal()
    return try outcome.get()
  }

  /// Calls back, once, when half of the queue is free again or the writer has ended; on the writer's
  /// thread, or at once.
  func whenRoom(_ callback: @escaping @Sendable () -> Void) {
    let isRoom = state.withLock { state in
      if case .running = state.phase, !state.queue.isHalfEmpty {
        state.roomWaiters.append(callback)
        return false
      }
      return true
    }
    if isRoom { callback() }
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
    case close
  }

  private func next() -> Next {
    state.wait { state in
      let isClosing = if case .closing = state.phase { true } else { false }
      switch state.queue.decide(now: MonotonicClock.now()) {
      case .idle: return isClosing ? .done(.close) : .sleep
      case .commitAfter(let delay) where !isClosing: return .sleepFor(delay)
      case .commitNow, .commitAfter:
        let group = state.queue.takeGroup()
        var room: [@Sendable () -> Void] = []
        if state.queue.isHalfEmpty { swap(&room, &state.roomWaiters) }
        return .done(.commit(group, room: room))
      }
    }
  }

  private func run(_ loop: inout WriterLoop) {
    while true {
      switch next() {
      case .close:
        do {
          try loop.close()
          end(LogError(.closed, "the log is closed"))
        } catch {
          loop.abandon()
          fail(LogError("closing the log", error))
        }
        return
      case .commit(let group, let room):
        for callback in room { callback() }
        do {
          try commit(group, &loop)
        } catch {
          loop.abandon()
          fail(error)
          // A checkpoint may fail after the group's commit, which its requests know of by then.
          if !loop.isCommitted {
            for request in group { request.completion(.failure(error)) }
          }
          return
        }
      }
    }
  }

  /// Commits one group, trying again for as long as the volume is full or another process holds a lock.
  private func commit(_ group: [WriteRequest], _ loop: inout WriterLoop) throws(LogError) {
    while true {
      do throws(SQLiteError) {
        let outcomes = try loop.commit(group)
        setDiskFull(false)
        head.update { $0 = loop.head }
        if loop.hasChangedGaps { gapChanges.update { $0 += 1 } }
        for (request, outcome) in zip(group, outcomes) { request.completion(outcome) }
        try loop.checkpointIfDue()
        return
      } catch {
        guard !loop.isCommitted, let pause = loop.pauseBeforeRetry(after: error) else {
          throw LogError(
            loop.isCommitted ? "copying SQLite's WAL into the log's file" : "committing to the log", error)
        }
        setDiskFull(error.isDiskFull)
        if isClosing { throw LogError("committing to the log at shutdown", error) }
        sleep(pause)
      }
    }
  }

  private func setDiskFull(_ isFull: Bool) {
    state.withLock { $0.isDiskFull = isFull }
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
    let (requests, room) = state.withLock { state in
      state.phase = .ended(error)
      let room = state.roomWaiters
      state.roomWaiters = []
      return (state.queue.takeAll(), room)
    }
    for request in requests { request.completion(.failure(error)) }
    for callback in room { callback() }
  }
}
