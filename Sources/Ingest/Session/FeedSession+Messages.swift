import Base
import WAL

extension FeedSession {
  /// Unique within the slot; grows.
  struct ConnectionID: Hashable, Sendable { let number: Int }

  enum Event: Equatable, Sendable {
    case started
    /// The WebSocket is open and every stream is subscribed, at microseconds UTC.
    case opened(ConnectionID, at: Int64)
    /// Bytes arrived that were no data message: a ping, a pong, an answer.
    case arrived(ConnectionID)
    /// Data messages arrived, at microseconds UTC; duplicates count too.
    case data(ConnectionID, receivedAt: Int64)
    /// The overlap has seen each stream that was active on both connections.
    case caughtUp
    /// The exchange says that it will end the connection.
    case shutdownAnnounced(ConnectionID)
    /// A new connection is wanted, beside the one there is; `listChanged` if the slot's streams are other ones.
    case rotate(listChanged: Bool)
    /// The connection ended or could not be opened. `cause` counts if it had been open.
    case ended(ConnectionID, cause: Gap.Cause)
    /// The log takes nothing: sockets are not read.
    case paused
    case resumed
    /// The slot has no streams any more.
    case retired
    /// ``FeedSession/deadline`` is reached. Too early or too often does no harm.
    case timer
    case stopped
  }

  enum Action: Equatable, Sendable {
    case connect(ConnectionID)
    /// Always just before `connect(standby)`.
    case beginOverlap(primary: ConnectionID, standby: ConnectionID)
    /// The standby takes over: what is held of it goes to the log now.
    case release
    case ping(ConnectionID)
    /// End it in an orderly way: a close frame, then read on to the server's end.
    case close(ConnectionID)
    /// Drop it at once; nothing of it counts any more, and its end need not be told.
    case abandon(ConnectionID)
    /// From microseconds UTC.
    case openGap(startedAt: Int64, cause: Gap.Cause)
    /// To microseconds UTC.
    case closeGap(endedAt: Int64)
    case report(Report)
    /// After `stopped` or `retired`: no connection is left. The last action of all, and once.
    case finished
  }

  /// Something that an operator should read. Why a connection ended or could not be opened is the caller's to say.
  enum Report: Equatable, Sendable {
    /// Not open after ``Limits/opening``.
    case openingTimedOut(ConnectionID)
    /// Nothing at all came in answer to a ping.
    case noAnswer(ConnectionID)
    /// The attempts of the last minutes are used up.
    case attemptsUsedUp(wait: Duration)
    /// No data for that long: a second connection looks whether there is any.
    case silent(Duration)
    /// The second connection had data, the first had none: it took over.
    case subscriptionDead(ConnectionID)
    /// The first connection had data again.
    case marketWasQuiet
    /// The second connection had no data either, or could not be opened; the next one after that time.
    case nothingFound(nextAfter: Duration)
    case rotating(Reason)
    case rotated(ConnectionID)
    /// The new connection delivered nothing while the old one did: the old one stays.
    case successorSilent(ConnectionID)
    /// The new connection could not be opened or was lost; the old one stays.
    case successorLost(ConnectionID, nextAfter: Duration)

    /// Why a connection is replaced while it works.
    enum Reason: Equatable, Sendable { case age, shutdownAnnounced, requested, listChanged }
  }

  /// The waits between attempts to connect.
  static let backoff = Backoff(base: .milliseconds(250), cap: .seconds(30), jitter: .equal)

  struct Limits: Equatable, Sendable {
    /// For the connection, TLS, the upgrade and the subscriptions together.
    var opening = Duration.seconds(30)
    /// After this long with a connection, back-off starts again from its beginning.
    var healthyAfter = Duration.seconds(60)
    var pingInterval = Duration.seconds(20)
    /// Anything that arrives is an answer to a ping.
    var pongTimeout = Duration.seconds(10)
    /// Without data for so long a second connection is opened beside the first.
    var staleAfter = Duration.seconds(60)
    /// How often the time until the next look doubles while there is nothing to find: 2⁶ = 64 times.
    var staleDoublings = 6
    /// How long the first connection may come after the second with the data that ends a silence.
    var staleGrace = Duration.seconds(2)
    /// A connection is replaced at 95 to 100 % of it.
    var maximumAge = ExchangeLimits.binance.replacementAge
    /// How long two connections run side by side at most, once each has had something to deliver.
    var overlap = Duration.seconds(10)
    /// A primary that spoke so recently is not silent. Well below what an overlap takes for active, or its word
    /// that the standby has caught up with what is active could be about nothing.
    var activity = Duration.seconds(5)
    /// For the server's end after our close frame.
    var draining = Duration.seconds(5)
    /// For everything to end after `stopped`.
    var stopping = Duration.seconds(2)
  }
}
