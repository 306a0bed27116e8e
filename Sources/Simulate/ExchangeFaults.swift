/// A fault of a connection, or of the way to one.
package enum FaultKind: String, Sendable, Hashable, CaseIterable {
  /// The exchange sends a close frame and ends the connection in order.
  case close
  /// The exchange announces with `serverShutdown` that it will close the connection, and later does so.
  case shutdown
  /// The connection ends in the middle of a frame, by a TCP reset.
  case reset
  /// The connection ends in the middle of a frame, by a plain FIN.
  case fin
  /// No data comes any more; pings, pongs and answers do.
  case stall
  /// Nothing comes any more and nothing is answered, although the connection is open.
  case halfOpen = "half-open"
  /// The next attempts to connect are refused.
  case refuse
  /// No data is sent for a while, then everything that was made meanwhile.
  case freeze
  /// Data comes late from now on; what still waits is lost with the connection.
  case lag
  /// For a while the connection says only what is no tick; ticks made meanwhile are not sent on it.
  case babble
  /// The exchange says an error that answers no request.
  case error
  /// Pongs come late from now on.
  case latePong = "late-pong"
  /// One to three messages of one numbered stream are not sent, so that its ids skip.
  case skipIDs = "skip-ids"
  /// A new connection is granted streams that it never gets, while another one has them.
  case withhold
  /// The next SUBSCRIBE request is answered with an error.
  case refuseSubscribe = "refuse-subscribe"
  /// The next SUBSCRIBE request is not answered, nor granted.
  case muteSubscribe = "mute-subscribe"

  /// Whether it waits for a client to do something, instead of meeting an open connection.
  var isPending: Bool {
    switch self {
    case .refuse, .withhold, .refuseSubscribe, .muteSubscribe: true
    default: false
    }
  }
}

/// The faults of an exchange, for rehearsing.
package struct ExchangeFaults: Sendable, Equatable {
  /// The faults that each connection has so long after it was opened; those that wait for a client to do something
  /// (`refuse`, `withhold`, `refuse-subscribe`, `mute-subscribe`) mean nothing here.
  package var afterOpening: [FaultKind: Duration] = [:]
  /// Close each connection after it got this many messages.
  package var closeAfterMessages: Int?
  /// The code of the exchange's close frames.
  package var closeCode: UInt16 = 1000
  /// Time between a `serverShutdown` and the close frame.
  package var shutdownNotice = Duration.seconds(2)
  /// Answer requests to connect with this HTTP status.
  package var refuseWithStatus: Int?
  /// How many of the requests get ``refuseWithStatus``: 1 is all of them.
  package var refuseShare = 1.0
  /// The seconds in the `Retry-After` of a refusal.
  package var retryAfter: Int?
  /// How many of the SUBSCRIBE requests are answered with an error: 1 is all of them.
  package var refuseSubscribeShare = 0.0
  /// The error that they are answered with.
  package var subscribeError = SubscriptionError.rehearsal
  /// The SUBSCRIBE request that is never answered, counted from 1 over all connections.
  package var mutedSubscribe: Int?
  /// Streams that there are not: a SUBSCRIBE request that names one is refused whole, a URL that does is read
  /// without it.
  package var badStreams: Set<String> = []
  /// Kinds of streams, such as `aggTrade` or `kline`, that a connection is granted and never gets if another one
  /// has them when it asks.
  package var withheldKinds: Set<String> = []
  /// How many of the streams a random `withhold` concerns; one at least.
  package var withholdShare = 0.3
  package var freezeTime = Duration.seconds(3)
  /// The time that a message waits on a connection that lags.
  package var lagTime = Duration.seconds(5)
  package var babbleTime = Duration.seconds(5)
  /// The time that a pong takes on a connection where pongs are late.
  package var latePongTime = Duration.seconds(12)
  /// Whether pongs are late on every connection.
  package var hasLatePongs = false
  /// Send this many messages in the same write as the answer to the upgrade.
  package var messagesWithUpgrade = 0
  /// Send messages in fragments of at most this many bytes.
  package var fragmentSize: Int?
  /// Something out of ``randomKinds`` happens to some open connection about this often.
  package var randomEvery: Duration?
  package var randomKinds = FaultKind.allCases

  package init() {}

  /// The exchange's 24 hours compressed: connections end at this age, announced so long before.
  package mutating func setDay(_ day: Duration, notice: Duration) {
    afterOpening[.shutdown] = max(.zero, day - notice)
    shutdownNotice = min(day, notice)
  }
}
