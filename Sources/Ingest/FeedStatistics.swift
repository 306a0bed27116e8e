import Synchronization

/// What the feed has done so far.
public struct FeedStatistics: Equatable, Sendable {
  /// Data messages received, those that came over two connections counted twice.
  public var messages = 0
  /// Ticks handed to the log.
  public var ticks = 0
  /// Inputs that were no ticks.
  public var rejected = 0
  /// Ticks left out because another connection had delivered them.
  public var duplicates = 0
  /// Ticks whose event time was before that of an earlier one of their stream; they are kept.
  public var late = 0
  /// Attempts to connect.
  public var attempts = 0
  /// Connections that were opened in place of one that was lost.
  public var reconnects = 0
  /// Connections that took over from one that worked.
  public var rotations = 0
  /// Gaps begun in this run.
  public var gaps = 0
  /// WebSockets that are open now.
  public var connections = 0
  /// How many the list of streams needs.
  public var plannedConnections = 0
  /// Streams subscribed to over connections that are open now.
  public var connectedStreams = 0
  /// Microseconds UTC; nil before the first data.
  public var lastDataAt: Int64?
  /// Whether sockets are not being read because the log's queue is full.
  public var isPaused = false
}

/// The statistics, written on the feed's event loop and read from anywhere.
final class FeedCounters: Sendable {
  private let state = Mutex(FeedStatistics())

  var statistics: FeedStatistics { state.withLock { $0 } }

  /// A lock for each read of the socket, not for each message.
  func update(_ change: (inout FeedStatistics) -> Void) { state.withLock { change(&$0) } }
}
