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
    case confirmed(OffsetRange, Confirmation)
    case committed
    /// A delivery between two tries was given up, or nothing was fetched, because of a stop.
    case stopped
  }

  /// Runs until the control says so. When it returns, everything confirmed is committed.
  ///
  /// - Parameter next: the consumer's committed next offset.
  /// - Throws: `CancellationError`, with everything confirmed until then committed; the log's errors.
  func run(reader: LogReader, next: Offset) async throws {
    var window = DeliveryWindow<Confirmation>(next: next)
    defer { expiry.end() }
    do {
      try await ship(from: sink.makeSource(reader: reader, next: next), &window)
    } catch is CancellationError {
      if let confirmed = window.takeConfirmed() { try await commit(confirmed) }
      throw CancellationError()
    }
  }

  private func ship(from source: S.Source, _ window: inout DeliveryWindow<Confirmation>) async throws {
    try await withThrowingTaskGroup(of: Event.self) { group in
      do {
        try await ship(from: source, &window, &group)
      } catch {
        group.cancelAll()
        try await collect(from: &group, into: &window)
        throw error
      }
    }
  }

  private func ship(
    from source: S.Source, _ window: inout DeliveryWindow<Confirmation>,
    _ group: inout ThrowingTaskGroup<Event, any Error>
  ) async throws {
    var state = LoopState<S.Delivery>()
    while true {
      while window.unconfirmed < sink.limit, window.count + state.committing < sink.uncommittedLimit,
        !control.isStopping, let prepared = state.takeReady()
      {
        window.start(prepared.range)
        group.addTask {
          try await unlessStopped { .confirmed(prepared.range, try await sink.deliver(prepared.delivery)) }
        }
      }
      if state.shouldFetch(readAhead: sink.readAhead), !control.isStopping {
        state.isFetching = true
        group.addTask { .fetched(try await source.next()) }
      }
      if state.committing == 0, let confirmed = window.takeConfirmed() {
        state.committing = confirmed.confirmations.count
        group.addTask {
          try await commit(confirmed)
          return .committed
        }
      }
      metrics.underWay(window.unconfirmed, of: sink.limit)
      guard let event = try await group.next() else { return }
      switch event {
      case .fetched(let prepared): state.fetched(prepared)
      case .confirmed(let range, let confirmation):
        metrics.confirmed(confirmation)
        window.confirm(range, confirmation)
      case .committed: state.committing = 0
      case .stopped: break
      }
    }
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
    from group: inout ThrowingTaskGroup<Event, any Error>, into window: inout DeliveryWindow<Confirmation>
  ) async throws {
    var failure: (any Error)?
    while let result = await group.nextResult() {
      switch result {
      case .success(.confirmed(let range, let confirmation)): window.confirm(range, confirmation)
      case .success: break
      case .failure(let error) where error is CancellationError: break
      case .failure(let error): failure = failure ?? error
      }
    }
    if let failure { throw failure }
  }

  private func commit(_ confirmed: DeliveryWindow<Confirmation>.Confirmed) async throws {
    let consumer = sink.consumer
    let (first, next, confirmations) = (confirmed.first, confirmed.next, confirmed.confirmations)
    let expired = confirmations.reduce(0) { $0 + $1.expired }
    let deadLetters = confirmations.flatMap(\.deadLetters)
    KillPoint.offset.before()
    try await log.write { transaction in
      for confirmation in confirmations { try confirmation.record?(transaction) }
      try transaction.add(deadLetters, of: consumer)
      try transaction.commit(consumer, from: first, next: next, expired: expired)
    }
    KillPoint.offset.after()
    metrics.committed(ticks: first.distance(to: next), expired: expired)
    progress.committed(
      next: next, expired: expired, deadLetters: deadLetters.count)
    reporter.added(deadLetters)
    expiry.expired(expired, from: first, to: next.previous)
  }
}

/// The deliveries that the loop has read and not started, and which of its single tasks run.
struct LoopState<Delivery: Sendable> {
  private var ready: [Prepared<Delivery>] = []
  private var firstReady = 0
  private var isAtEnd = false
  var isFetching = false
  /// Deliveries in the commit that is under way.
  var committing = 0

  private var readyCount: Int { ready.count - firstReady }

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
