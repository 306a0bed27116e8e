import Synchronization

/// What the feed has done so far.
public struct FeedStatistics: Equatable, Sendable {
  /// Data messages received.
  public var messages = 0
  /// Ticks handed to the log.
  public var ticks = 0
  /// Inputs that were no ticks.
  public var rejected = 0
  /// Attempts to connect.
  public var attempts = 0
  /// Connections that were opened after the first one.
  public var reconnects = 0
  /// Streams subscribed to over connections that are open now.
  public var connectedStreams = 0
  /// Microseconds UTC; nil before the first data.
  public var lastDataAt: Int64?
  /// Whether the socket is not being read because the log's queue is full.
  public var isPaused = false
}

/// The statistics, written on the feed's event loop and read from anywhere.
final class FeedCounters: Sendable {
  private let state = Mutex(FeedStatistics())

  var statistics: FeedStatistics { state.withLock { $0 } }

  /// A lock for each read of the socket, not for each message.
  func update(_ change: (inout FeedStatistics) -> Void) { state.withLock { change(&$0) } }
}
