import Base
import Ingest
import Logging
import Shippers
import WAL

/// The main job: the feed into the log, and the shippers out of it, until a signal.
///
/// Ends in order: the feed first, and what it received is committed; then the shippers, which may finish what
/// is on its way, or ship everything with `DRAIN_ON_STOP`.
struct Pipeline: Sendable {
  let log: TickLog
  let loops: [ConsumerLoop]
  let stopping: Stopping
  let logger: Logger
  /// Makes the feed once its streams are known; `nil` for `ship`, which has none.
  let makeFeed: FeedMaker?
  /// The exit status of an end that hangs.
  let interrupted: ExitCode
  /// Ends the process although commits still wait for room on the volume.
  let endOnFullVolume: @Sendable () async throws -> Never
  /// Called when all that ships has been started.
  let begun: @Sendable (Running) -> Void

  typealias FeedMaker = @Sendable () async throws -> RunningFeed

  /// A feed and what keeps it as it should be while it runs.
  struct RunningFeed: Sendable {
    let feed: Feed
    /// Cancelled when the feed has ended; ends in no other way.
    let beside: @Sendable () async throws -> Void
  }

  /// The work that goes on, for the progress line.
  struct Running: Sendable {
    let feed: Latch<Feed>
    let loops: [ConsumerLoop]
    var progress: [ShippingProgress] { loops.map(\.progress) }
  }

  /// - Parameters:
  ///   - watch: runs beside the work and is cancelled with it.
  ///   - serve: the same, for operators.
  /// - Returns: whether a signal ended it.
  /// - Throws: the log's failure, at once; bad settings that are found out late.
  func run(
    watch: @escaping @Sendable (Running) async throws -> Void,
    serve: @escaping @Sendable (Running) async throws -> Void
  ) async throws -> Bool {
    let feed = Latch<Feed>()
    if stopping.opened(loops) { return stopping.request.value != nil }

    return try await withThrowingTaskGroup(of: StoppingOrder.Event?.self) { group in
      group.addTask {
        try await untilCancelled { ImmediateExit.logFailed(try await log.failure()) }
        return nil
      }
      group.addTask { [stopping] in
        do {
          stopping.logLost(try await log.loss())
          return .logLost
        } catch is CancellationError {
          return nil
        }
      }
      group.addTask { [stopping] in
        try await stopping.request.wait()
        try await ContinuousClock().sleep(for: stopping.patience)
        return .timeUp
      }
      group.addTask {
        try await untilCancelled { try await watch(Running(feed: feed, loops: loops)) }
        return nil
      }
      group.addTask {
        try await untilCancelled { try await serve(Running(feed: feed, loops: loops)) }
        return nil
      }
      if let makeFeed {
        group.addTask {
          try await untilCancelled { try await runFeed(makeFeed, feed) }
          return .feedEnded
        }
      }
      for loop in loops {
        group.addTask {
          // Cancelled when time is up: everything that was confirmed is committed.
          try await untilCancelled { try await loop.run() }
          return .loopEnded
        }
      }
      begun(Running(feed: feed, loops: loops))
      working: while let event = try await group.next() {
        guard let event else { continue }
        for action in stopping.happened(event) {
          if action == .finish { break working }
          logger.notice(
            "SHUTDOWN_TIMEOUT is over: what is still on its way is sent again at the next start")
          // Commits wait for room then, and cannot be called off: nothing could end in order.
          if log.knownLoss == nil {
            if log.isDiskFull { try await endOnFullVolume() }
            // A log whose files are gone takes its time to be saved.
            ImmediateExit.unlessEnded(within: 3, interrupted)
          }
          group.cancelAll()
        }
      }
      group.cancelAll()
      return stopping.request.value != nil
    }
  }

  private func runFeed(_ makeFeed: @escaping FeedMaker, _ made: Latch<Feed>) async throws {
    let running: RunningFeed? = try await withThrowingTaskGroup(of: RunningFeed?.self) { group in
      group.addTask { try await makeFeed() }
      group.addTask {
        try await stopping.request.wait()
        return nil
      }
      defer { group.cancelAll() }
      return try await group.next() ?? nil
    }
    guard let running else { return }
    let feed = running.feed
    made.set(feed)
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await feed.run()
        return true
      }
      group.addTask {
        try await running.beside()
        return false
      }
      group.addTask {
        try await stopping.request.wait()
        feed.stop()
        return false
      }
      while let hasEnded = try await group.next(), !hasEnded {}
      group.cancelAll()
    }
  }

  /// Being cancelled is an end like any other here: the group goes on and sees the others end.
  private func untilCancelled(_ body: () async throws -> Void) async throws {
    do { try await body() } catch is CancellationError {}
  }
}
