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
}

/// The faults of an exchange, for rehearsing.
package struct ExchangeFaults: Sendable, Equatable {
  /// The faults that each connection has so long after it was opened; `refuse` means nothing here.
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
  /// How many of the SUBSCRIBE requests are answered with an error: 1 is all of them.
  package var refuseSubscribeShare = 0.0
  /// Send this many messages in the same write as the answer to the upgrade.
  package var messagesWithUpgrade = 0
  /// Send messages in fragments of at most this many bytes.
  package var fragmentSize: Int?
  /// Something out of ``randomKinds`` happens to some open connection about this often.
  package var randomEvery: Duration?
  package var randomKinds: [FaultKind] = [.close, .reset, .fin, .stall, .halfOpen, .refuse]

  package init() {}

  /// The exchange's 24 hours compressed: connections end at this age, announced so long before.
  package mutating func setDay(_ day: Duration, notice: Duration) {
    afterOpening[.shutdown] = max(.zero, day - notice)
    shutdownNotice = min(day, notice)
  }
}
