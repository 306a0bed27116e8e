import Base
import WAL

extension FeedSession {
  /// Unique within the slot; grows.
  struct ConnectionID: Hashable, Sendable { let number: Int }

  enum Event: Equatable, Sendable {
    case started
    /// The WebSocket is open and every stream is subscribed, at microseconds UTC.
    case opened(ConnectionID, at: Int64)
    /// Bytes arrived that were no tick: a ping, a pong, an answer, a message that is none.
    case arrived(ConnectionID)
    /// So many messages arrived in a row that are no ticks and should be.
    case rejected(ConnectionID, messages: Int = 1)
    /// The answer to the newest ping: what the server had sent before it has arrived.
    case answered(ConnectionID)
    /// Ticks arrived, at microseconds UTC; duplicates count too. `lag`: how late they were, of what the connection
    /// is known to be able to.
    case data(ConnectionID, receivedAt: Int64, lag: Duration = .zero)
    /// The standing of the standby beside the current connection has changed.
    case compared(Standing)
    /// The exchange says that it will end the connection.
    case shutdownAnnounced(ConnectionID)
    /// A new connection is wanted, beside the one there is; `listChanged` if the slot's streams are other ones.
    case rotate(listChanged: Bool)
    /// The connection ended or could not be opened. `cause` counts if it had been open.
    case ended(ConnectionID, cause: Gap.Cause)
    /// The log takes nothing: sockets are not read.
    case paused
    case resumed
    /// The process did not run since a time on the monotonic clock: what its connections did meanwhile it has not
    /// seen.
    case thawed(since: Duration)
    /// The slot has no streams any more.
    case retired
    /// ``FeedSession/deadline`` is reached. Too early or too often does no harm.
    case timer
    case stopped
  }

  /// The standing of a standby's streams beside those of the connection that it is to replace.
  struct Standing: Equatable, Sendable {
    /// Each stream that is active was seen on both.
    var isCaughtUp = false
    /// Streams that the current connection has and the standby has not.
    var lacking = 0
    /// Streams that the current connection has and the standby has not yet; soon they are there or lacking.
    var undecided = 0
    /// Streams of which the current connection may still owe ticks that it was sent before the standby was there.
    var owed = 0
    /// It has owed some for a while.
    var isLagging = false
    /// Streams that both deliver without a tick in common.
    var differing = 0
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
    /// The new one has taken over from one with which it had no tick in common: what both delivered is there twice.
    case nothingInCommon(ConnectionID)
    /// The new connection has not got all streams of the old one: both stay.
    case successorLacks(ConnectionID, streams: Int)
    /// It still had not after a while and is given up; the old one stays.
    case successorGivenUp(ConnectionID, streams: Int, nextAfter: Duration)
    /// The old connection still delivers what was made before the new one was there: both stay.
    case predecessorLags(ConnectionID)
    /// The new connection delivered nothing while the old one did: the old one stays.
    case successorSilent(ConnectionID)
    /// The new connection could not be opened or was lost; the old one stays.
    case successorLost(ConnectionID, nextAfter: Duration)

    /// Why a connection is replaced while it works.
    enum Reason: Equatable, Sendable { case age, shutdownAnnounced, requested, listChanged }
  }

  /// The waits between attempts to connect.
  static let backoff = Backoff(base: .milliseconds(250), cap: .seconds(30), jitter: .equal)
  /// The waits before another standby is tried when one lacked streams.
  static let lackingBackoff = Backoff(base: .seconds(30), cap: .seconds(600), jitter: .equal)

  struct Limits: Equatable, Sendable {
    /// For the connection, TLS, the upgrade and the subscriptions together.
    var opening = Duration.seconds(30)
    /// For the answer to a request to subscribe.
    var answering = Subscriptions.patience
    /// After this long with a connection, back-off starts again from its beginning.
    var healthyAfter = Duration.seconds(60)
    var pingInterval = Duration.seconds(20)
    /// Anything that arrives is an answer to a ping.
    var pongTimeout = Duration.seconds(10)
    /// Without data for so long a second connection is opened beside the first.
    var staleAfter = Duration.seconds(60)
    /// The times that the wait for the next look doubles while there is nothing to find: 2⁶ = 64 times as long.
    var staleDoublings = 6
    /// So many messages in a row that are no ticks stand in the place of ticks.
    static let babble = 3
    /// The time by which the first connection may come after the second with the data that ends a silence.
    var staleGrace = Duration.seconds(2)
    /// A connection is replaced at 95 to 100 % of it.
    var maximumAge = ExchangeLimits.binance.replacementAge
    /// The time for which two connections run side by side before it counts what each has delivered.
    var overlap = Duration.seconds(10)
    /// The time for which a standby may lack streams that the current connection has.
    var lacking = Duration.seconds(60)
    /// The age at which the exchange ends a connection.
    var connectionAge = ExchangeLimits.binance.connectionAge
    /// Before that end, a standby that lacks streams is better than none.
    var lastMinutes = Duration.seconds(15 * 60)
    /// A primary that spoke so recently is not silent. Well below what an overlap takes for active, or its word
    /// that the standby has caught up with what is active could be about nothing.
    var activity = Duration.seconds(5)
    /// For the server's end after our close frame.
    var draining = Duration.seconds(5)
    /// For everything to end after `stopped`.
    var stopping = Duration.seconds(2)
  }
}
