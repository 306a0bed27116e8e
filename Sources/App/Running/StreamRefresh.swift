import AWS
import Base
import CoreMetrics
import Ingest
import Logging
import Shippers
import WAL

/// The receiver of a changed list of streams: the feed.
protocol StreamTarget: Sendable {
  /// Takes another list, without touching the streams that stay.
  func update(streams: [String])
  /// Replaces every connection.
  func rotate()
}

extension Feed: StreamTarget {}

/// Reads the list of streams again at regular times and at SIGHUP, and gives the feed what has changed.
///
/// A list that cannot be read leaves the one in force as it is: nothing here ends the program.
struct StreamRefresh: Sendable {
  /// A list as it was read, of which this process has its share.
  struct List: Sendable {
    let names: [String]
    /// What is probably not meant, one sentence each.
    var warnings: [String] = []
  }

  /// Reads the list once, perhaps in a few tries; `nil` where the operator has named the streams.
  let read: (@Sendable () async throws -> List)?
  let interval: Duration
  /// The number of SIGHUPs so far.
  let hangups: Watch<Int>
  let target: any StreamTarget
  let logger: Logger
  private let lastReload = Meter(label: "streams_last_reload_success")
  var now: @Sendable () -> Duration = { MonotonicClock.now() }
  var sleep: @Sendable (Duration) async throws -> Void = { try await ContinuousClock().sleep(for: $0) }
  /// Called at a SIGHUP, and when what it asked for has been done.
  var reloading: @Sendable () -> Void = {}
  var reloaded: @Sendable () -> Void = {}

  /// The number of streams that one message names.
  static let namesShown = 20

  /// Runs until it is cancelled.
  ///
  /// - Parameters:
  ///   - names: the list that the feed began with.
  ///   - seen: how many SIGHUPs there were when it was read.
  ///   - isDue: whether the list is to be read at once, because the one in force is an older one.
  func run(names: [String], seen: Int, isDue: Bool = false) async throws {
    var state = StreamListState(names: names)
    lastReload.set(1)
    var seen = seen
    if isDue, let read { try await refresh(&state, read, isAsked: false) }
    while true {
      try await wait(beyond: seen)
      let count = hangups.value
      let isAsked = count > seen
      seen = count
      if isAsked {
        reloading()
        logger.notice(
          read == nil
            ? "SIGHUP: the connections are replaced; the streams are those of STREAMS"
            : "SIGHUP: the list of streams is read again, then the connections are replaced")
      }
      if let read { try await refresh(&state, read, isAsked: isAsked) }
      // After the new list, so that a connection is replaced once.
      if isAsked {
        target.rotate()
        reloaded()
      }
    }
  }

  /// Waits for the next regular time, or for a SIGHUP.
  private func wait(beyond seen: Int) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { _ = try await hangups.wait { $0 > seen } }
      if read != nil { group.addTask { try await sleep(interval) } }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func refresh(
    _ state: inout StreamListState, _ read: @Sendable () async throws -> List, isAsked: Bool
  ) async throws {
    let list: List
    do {
      list = try await read()
      lastReload.set(1)
    } catch {
      try Task.checkCancellation()
      lastReload.set(0)
      let reason = (error as? CommandFailure)?.lines.joined(separator: " ") ?? "\(error)"
      // AWS's texts have the number of the request in them.
      let kind = (error as? AWSError)?.code.rawValue ?? reason
      if state.failed(kind, at: now()) || isAsked {
        let known = error as? AWSError
        var metadata: Logger.Metadata = [
          "streams": .stringConvertible(state.names.count), "error": "\(reason)",
        ]
        if let hint = known?.hint { metadata["hint"] = "\(hint)" }
        // A secret that is unusable stays so, too, until a person has changed it.
        logger.log(
          level: known?.needsOperator ?? true ? .error : .warning,
          "the list of streams could not be read again: the one in force stays", metadata: metadata)
      }
      return
    }
    let (change, couldNotBefore) = state.read(list.names)
    if let change {
      for warning in list.warnings { logger.warning("the secret's streams: \(warning)") }
      logger.notice("the list of streams has changed", metadata: metadata(change, count: list.names.count))
      target.update(streams: list.names)
    } else if couldNotBefore || isAsked {
      logger.notice(
        "the list of streams was read again and has not changed",
        metadata: ["streams": .stringConvertible(state.names.count)])
    }
  }

  private func metadata(_ change: StreamListState.Change, count: Int) -> Logger.Metadata {
    var metadata: Logger.Metadata = [
      "streams": .stringConvertible(count), "added": .stringConvertible(change.added.count),
      "removed": .stringConvertible(change.removed.count),
    ]
    for (key, names) in [("added_streams", change.added), ("removed_streams", change.removed)]
    where !names.isEmpty {
      metadata[key] = "\(Text.list(names, limit: Self.namesShown))"
    }
    return metadata
  }
}
