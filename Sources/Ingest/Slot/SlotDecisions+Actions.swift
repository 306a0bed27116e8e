import Base
import WAL

extension SlotDecisions {
  /// The moment of an event, and a random number in 0 ..< 1 for it.
  struct Moment: Sendable {
    /// Of a monotonic clock.
    var now: Duration
    /// Microseconds UTC.
    var utc: Int64
    var random: Double
  }

  /// The part that does not change.
  struct Rules: Sendable {
    var session = FeedSession.Limits()
    var overlap = Overlap.Limits()
    var backoff = FeedSession.backoff
    /// The lateness of an event that counts.
    var lateness = Duration.seconds(1)
    /// True if connections subscribe to the slot's streams, false where their URL names the streams.
    var subscribes = true
  }

  enum Action: Sendable {
    /// Ticks and gaps for the log, in one commit.
    case submit(Intake, [GapChange])
    case connect(ConnectionID)
    case ping(ConnectionID)
    case close(ConnectionID)
    case abandon(ConnectionID)
    case report(FeedSession.Report)
    case found([SequenceGaps.Finding])
    /// Connections or the streams that they have are others now.
    case connectionsChanged
    /// No connection is left, and none comes. The last action of all.
    case finished
  }

  /// Two connections that run side by side, until the standby has taken over or is given up.
  struct Pair: Sendable {
    let primary: ConnectionID
    let standby: ConnectionID
    /// The primary after its end, and what was unproven then.
    var lost: (connection: SlotConnection, unproven: Overlap.Unproven)?
  }
}
