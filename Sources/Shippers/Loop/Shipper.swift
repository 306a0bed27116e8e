import Base
import Logging
import WAL

/// The loop of every sink: read from the committed offset, deliver, commit the contiguous prefix that is
/// confirmed through the log's writer.
struct Shipper<S: Sink>: Sendable {
  let sink: S
  let log: TickLog
  let control: ShippingControl
  let progress: ShippingProgress
  let reporter: DeadLetterReporter
  let expiry: ExpiryReporter
  let metrics: ShipMetrics

  private enum Event: Sendable {
    case fetched([Prepared<S.Delivery>])
    case prepared
    case confirmed(OffsetRange, Confirmation)
    case tried([FirstTries.Ended])
    /// So many deliveries.
    case committed(Int)
    /// A delivery between two tries was given up, or nothing was fetched, because of a stop.
    case stopped
  }

  /// Runs until the control says so. When it returns, everything confirmed is committed.
  ///
  /// - Parameter next: the consumer's committed next offset.
  /// - Throws: `CancellationError`, with everything confirmed until then committed; the log's errors.
  func run(reader: LogReader, next: Offset) async throws {
    guard sink.staysOnReader else { return try await loop(reader: reader, next: next) }
    try await withTaskExecutorPreference(reader.thread) { try await loop(reader: reader, next: next) }
  }

  private func loop(reader: LogReader, next: Offset) async throws {
    var window = DeliveryWindow<Confirmation>(next: next)
    var state = LoopState<S.Delivery>()
    defer { expiry.end() }
    do {
      try await ship(from: sink.makeSource(reader: reader, next: next), &window, &state)
    } catch is CancellationError {
      if let confirmed = window.takeConfirmed() { state.pending.add(confirmed) }
      if !state.pending.isEmpty { _ = try await commit(state.pending, urgency: .usual) }
      throw CancellationError()
    }
  }

  private func ship(
    from source: S.Source, _ window: inout DeliveryWindow<Confirmation>, _ state: inout LoopState<S.Delivery>
  ) async throws {
    try await withThrowingTaskGroup(of: Event.self) { group in
      do {
        try await ship(from: source, &window, &group, &state)
      } catch {
        group.cancelAll()
        try await collect(from: &group, into: &window, &state)
        throw error
      }
    }
  }

  private func ship(
    from source: S.Source, _ window: inout DeliveryWindow<Confirmation>,
    _ group: inout ThrowingTaskGroup<Event, any Error>, _ state: inout LoopState<S.Delivery>
  ) async throws {
    while true {
      while window.unconfirmed < sink.limit, window.count + state.committing < sink.uncommittedLimit,
        !control.isStopping, let prepared = state.takeReady()
      {
        start(prepared, &window, &group, &state)
      }
      listen(&group, &state)
      if state.shouldFetch(readAhead: sink.readAhead), !control.isStopping {
        state.isFetching = true
        group.addTask { .fetched(try await source.next()) }
      }
      if let confirmed = window.takeConfirmed() {
        state.committing += confirmed.confirmations.count
        state.pending.add(confirmed)
      }
      let urgency = urgency(window, state)
      if !state.isCommitting, !state.pending.isEmpty {
        (state.isCommitting, state.isPatient) = (true, urgency == .patient)
        let pending = state.pending
        group.addTask { .committed(try await commit(pending, urgency: urgency)) }
      } else if state.isPatient, urgency != .patient {
        state.isPatient = false
        state.pending.hurry()
        log.hurry()
      }
      metrics.underWay(window.unconfirmed, of: sink.limit)
      guard let event = try await group.next() else { return }
      switch event {
      case .fetched(let prepared):
        state.fetched(prepared)
        guard sink.preparesAhead else { break }
        for each in prepared {
          group.addTask {
            try await sink.prepare(each.delivery)
            return .prepared
          }
        }
      case .confirmed(let range, let confirmation):
        confirmedNow(confirmation)
        window.confirm(range, confirmation)
      case .tried(let ended):
        let ended = state.took(ended)
        for (range, outcome) in ended {
          switch outcome {
          case .confirmed(let confirmation):
            confirmedNow(confirmation)
            window.confirm(range, confirmation)
          case .open(let rest):
            group.addTask { try await unlessStopped { .confirmed(range, try await rest()) } }
          }
        }
        // Nobody else may hear of it: those that were begun have no task.
        if ended.isEmpty { try Task.checkCancellation() }
      case .committed(let count):
        state.committing -= count
        (state.isCommitting, state.isPatient) = (false, false)
      case .prepared, .stopped: break
      }
    }
  }

  private func start(
    _ prepared: Prepared<S.Delivery>, _ window: inout DeliveryWindow<Confirmation>,
    _ group: inout ThrowingTaskGroup<Event, any Error>, _ state: inout LoopState<S.Delivery>
  ) {
    let (range, tries) = (prepared.range, state.tries)
    window.start(range)
    // Where more wait for their turn than may start, each end lets another one begin.
    let isPatient = state.readyCount <= sink.limit - window.unconfirmed
    if let callOff = sink.start(prepared.delivery, isPatient: isPatient, { tries.add(range, $0) }) {
      state.callOffs[range.lowerBound] = callOff
    } else {
      group.addTask {
        try await unlessStopped { .confirmed(range, try await sink.deliver(prepared.delivery)) }
      }
    }
  }

  /// One task waits for all first tries that are under way.
  private func listen(
    _ group: inout ThrowingTaskGroup<Event, any Error>, _ state: inout LoopState<S.Delivery>,
    heedsCancellation: Bool = true
  ) {
    guard !state.callOffs.isEmpty, !state.isListening else { return }
    state.isListening = true
    let tries = state.tries
    group.addTask { .tried(await tries.next(heedsCancellation: heedsCancellation)) }
  }

  private func urgency(
    _ window: DeliveryWindow<Confirmation>, _ state: LoopState<S.Delivery>
  ) -> WriteUrgency {
    .ofCommitting(
      state.committing + window.confirmed, uncommitted: state.committing + window.count,
      limit: sink.uncommittedLimit,
      isEnding: control.isStopping || (control.isDraining && state.hasNothingMore))
  }

  private func unlessStopped(_ work: () async throws -> Event) async throws -> Event {
    do {
      return try await work()
    } catch is ShippingStopped {
      return .stopped
    }
  }

  /// Waits for what still runs after a cancellation: what the sink has confirmed meanwhile counts.
  ///
  /// - Throws: what failed for another reason, a commit above all, after which nothing may be committed.
  private func collect(
    from group: inout ThrowingTaskGroup<Event, any Error>, into window: inout DeliveryWindow<Confirmation>,
    _ state: inout LoopState<S.Delivery>
  ) async throws {
    for callOff in state.callOffs.values { callOff() }
    if state.isPatient {
      state.pending.hurry()
      log.hurry()
    }
    listen(&group, &state, heedsCancellation: false)
    var failure: (any Error)?
    while let result = await group.nextResult() {
      switch result {
      case .success(.confirmed(let range, let confirmation)): window.confirm(range, confirmation)
      case .success(.tried(let ended)):
        for case (let range, .confirmed(let confirmation)) in state.took(ended) {
          window.confirm(range, confirmation)
        }
        listen(&group, &state, heedsCancellation: false)
      case .success: break
      case .failure(let error) where error is CancellationError: break
      case .failure(let error): failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  private func confirmedNow(_ confirmation: Confirmation) {
    metrics.confirmed(confirmation)
    progress.confirmed(confirmation)
  }

  /// - Returns: the number of deliveries that the commit held.
  private func commit(_ pending: PendingCommit<Confirmation>, urgency: WriteUrgency) async throws -> Int {
    guard urgency == .patient else { return try await write(pending, urgency: urgency) }
    let log = log
    return try await control.reacting {
      log.hurry()
    } during: {
      try await write(pending, urgency: urgency)
    }
  }

  private func write(_ pending: PendingCommit<Confirmation>, urgency: WriteUrgency) async throws -> Int {
    let consumer = sink.consumer
    KillPoint.offset.before()
    let isHurried: @Sendable () -> Bool = { [control] in pending.isHurried || control.isStopping }
    try await log.write(urgency: urgency, isHurried: isHurried) { transaction in
      let confirmed = pending.take()
      for confirmation in confirmed.confirmations { try confirmation.record?(transaction) }
      try transaction.add(confirmed.deadLetters, of: consumer)
      try transaction.commit(
        consumer, from: confirmed.first, next: confirmed.next, expired: confirmed.expired)
    }
    KillPoint.offset.after()
    let confirmed = pending.committed()
    let (first, next, expired) = (confirmed.first, confirmed.next, confirmed.expired)
    metrics.committed(ticks: first.distance(to: next), expired: expired)
    progress.committed(
      next: next, expired: expired, deadLetters: confirmed.deadLetters.count)
    reporter.added(confirmed.deadLetters)
    expiry.expired(expired, from: first, to: next.previous)
    return confirmed.confirmations.count
  }
}

extension DeliveryWindow<Confirmation>.Confirmed {
  fileprivate var expired: Int { confirmations.reduce(0) { $0 + $1.expired } }
  fileprivate var deadLetters: [DeadLetter] { confirmations.flatMap { $0.deadLetters } }
}

extension WriteUrgency {
  /// The urgency of a commit of deliveries. It may wait for one of ticks, which it then shares, and for more deliveries;
  /// not when nothing more is to start, and for nothing at all when it would soon keep others from starting.
  ///
  /// - Parameters:
  ///   - deliveries: those that it commits, and that are confirmed behind one that is not.
  ///   - uncommitted: these and all others that have started.
  ///   - limit: on these.
  static func ofCommitting(
    _ deliveries: Int, uncommitted: Int, limit: Int, isEnding: Bool
  ) -> WriteUrgency {
    if uncommitted * 2 > limit { return .urgent }
    return !isEnding && deliveries * 4 < limit ? .patient : .usual
  }
}

/// The deliveries that the loop has read and not started, and which of its single tasks run.
struct LoopState<Delivery: Sendable> {
  private var ready: [Prepared<Delivery>] = []
  private var firstReady = 0
  private var isAtEnd = false
  var isFetching = false
  /// Confirmed deliveries that were taken from the window and are not committed, and how many they are.
  let pending = PendingCommit<Confirmation>()
  var committing = 0
  /// Whether a commit of theirs is under way, and whether it waits for one of ticks.
  var isCommitting = false
  var isPatient = false
  /// Where first tries end, and how to call off those that have not.
  let tries = FirstTries()
  var callOffs: [Offset: CallOff] = [:]
  var isListening = false

  /// - Returns: the same again.
  mutating func took(_ ended: [FirstTries.Ended]) -> [FirstTries.Ended] {
    isListening = false
    for (range, _) in ended { callOffs[range.lowerBound] = nil }
    return ended
  }

  /// Whether everything that the log has to give was started.
  var hasNothingMore: Bool { isAtEnd && readyCount == 0 }

  var readyCount: Int { ready.count - firstReady }

  mutating func takeReady() -> Prepared<Delivery>? {
    guard readyCount > 0 else { return nil }
    defer { firstReady += 1 }
    return ready[firstReady]
  }

  /// One fetch at a time, so that memory holds what waits and one page more.
  func shouldFetch(readAhead: Int) -> Bool {
    !isFetching && !isAtEnd && readyCount < readAhead
  }

  mutating func fetched(_ prepared: [Prepared<Delivery>]) {
    isFetching = false
    isAtEnd = prepared.isEmpty
    ready.removeFirst(firstReady)
    firstReady = 0
    ready.append(contentsOf: prepared)
  }
}
