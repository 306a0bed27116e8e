import Synchronization

/// The figures of a feed up to now.
package struct FeedStatistics: Equatable, Sendable {
  /// Data messages received, those that came over two connections counted twice.
  package var messages = 0
  /// Ticks handed to the log.
  package var ticks = 0
  /// Inputs that were no ticks.
  package var rejected = 0
  /// Ticks left out because another connection had delivered them.
  package var duplicates = 0
  /// Ticks whose event time was before that of an earlier one of their stream; they are kept.
  package var late = 0
  /// Attempts to connect.
  package var attempts = 0
  /// Connections that were opened in place of one that was lost.
  package var reconnects = 0
  /// Connections that took over from one that worked.
  package var rotations = 0
  /// Gaps begun in this run.
  package var gaps = 0
  /// Times that the exchange's own ids of a stream skipped where no other gap says why.
  package var sequenceBreaks = 0
  /// WebSockets that are open now.
  package var connections = 0
  /// The connections that the list of streams needs.
  package var plannedConnections = 0
  /// Streams that the exchange has granted to connections that are open and in use now.
  package var connectedStreams = 0
  /// The streams of the list.
  package var plannedStreams = 0
  /// Granted streams that have delivered nothing for long, as of the last look at them.
  package var silentStreams = NamedStreams()
  /// Streams that the exchange has refused to the connections that are open and in use now.
  package var refusedStreams = NamedStreams()
  /// Microseconds UTC: since when at least one stream has been granted to an open connection without a break; nil
  /// while none is.
  package var connectedSince: Int64?
  /// Microseconds UTC: since when none is; nil while one is, and before the feed has begun.
  package var disconnectedSince: Int64?
  /// Microseconds UTC: the next attempt of a planned connection that waits for one and has no other; nil if none
  /// waits.
  package var nextAttemptAt: Int64?
  /// On the machine's monotonic clock: when the feed's loop has turned last; nil before it runs. What these figures
  /// say of connections is true as of then.
  package var turnedAt: Duration?
  /// True once the feed is over: nothing is connected again.
  package var isOver = false
  /// Microseconds UTC; nil before the first data.
  package var lastDataAt: Int64?
  /// True while sockets are not read because the log's queue is full.
  package var isPaused = false
}

/// Streams of a kind: how many, and the first names of them.
package struct NamedStreams: Equatable, Sendable {
  package var count = 0
  /// In the order of their names.
  package var names: [String] = []

  /// Names that are kept.
  package static let mostNames = 10

  package init() {}

  init(_ streams: [String]) {
    count = streams.count
    names = Array(streams.sorted().prefix(Self.mostNames))
  }
}

/// The statistics, written on the feed's event loop and read from anywhere.
final class FeedCounters: Sendable {
  private let state = Mutex(FeedStatistics())

  var statistics: FeedStatistics { state.withLock { $0 } }

  /// A lock for each read of the socket, not for each message.
  func update(_ change: (inout FeedStatistics) -> Void) { state.withLock { change(&$0) } }
}
