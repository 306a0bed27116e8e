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
  /// How many the list of streams needs.
  package var plannedConnections = 0
  /// Streams subscribed to over connections that are open now.
  package var connectedStreams = 0
  /// Microseconds UTC; nil before the first data.
  package var lastDataAt: Int64?
  /// Whether sockets are not being read because the log's queue is full.
  package var isPaused = false
}

/// The statistics, written on the feed's event loop and read from anywhere.
final class FeedCounters: Sendable {
  private let state = Mutex(FeedStatistics())

  var statistics: FeedStatistics { state.withLock { $0 } }

  /// A lock for each read of the socket, not for each message.
  func update(_ change: (inout FeedStatistics) -> Void) { state.withLock { change(&$0) } }
}
