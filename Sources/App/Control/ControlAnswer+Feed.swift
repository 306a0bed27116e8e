import Base
import Ingest

extension ControlAnswer.Feed {
  /// The time after which a feed's loop that has not turned is called stuck.
  private static let patience = Duration.seconds(5)

  /// - Parameters:
  ///   - statistics: `nil` as long as the feed is not made.
  ///   - now: of the machine's monotonic clock.
  init(_ statistics: FeedStatistics?, now: Duration = MonotonicClock.now()) {
    guard let feed = statistics, let turnedAt = feed.turnedAt else {
      self.init(state: .starting)
      return
    }
    let state: State = feed.isOver ? .ended : now - turnedAt > Self.patience ? .stuck : .running
    self.init(
      state: state, connected: state == .running && feed.connectedSince != nil,
      since: feed.connectedSince ?? feed.disconnectedSince, connections: feed.connections,
      plannedConnections: feed.plannedConnections, streams: feed.plannedStreams,
      granted: feed.connectedStreams, silent: Streams(feed.silentStreams),
      refused: Streams(feed.refusedStreams), nextAttemptAt: feed.nextAttemptAt, paused: feed.isPaused)
  }
}

extension ControlAnswer.Feed.Streams {
  fileprivate init(_ streams: NamedStreams) {
    self.init(count: streams.count, names: streams.names)
  }
}
