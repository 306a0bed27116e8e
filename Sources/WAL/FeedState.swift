extension TickLog {
  /// Says that a feed starts now, and finds what the last one left open; durable when it returns.
  ///
  /// A feed that ended in order left an open gap of cause `shutdown` (or whatever was open then). One that
  /// was killed left none: a gap of cause `crash` is opened, from the last tick appended.
  ///
  /// - Parameter streams: what the feed is going to subscribe to, recorded with a new gap.
  /// - Returns: the gaps that the first data is to close.
  public func beginFeed(streams: [String]) async throws -> [Gap] {
    try await write { transaction in
      if try transaction.meta(FeedMeta.feed) == FeedMeta.running {
        if let last = try transaction.connection.lastReceivedAt(), try transaction.openGaps().isEmpty {
          let known = try transaction.meta(FeedMeta.streams)
          let before = try known.map { try transaction.connection.elements(ofJSON: $0) }
          _ = try transaction.openGap(startedAt: last, cause: .crash, streams: before ?? streams)
        }
      }
      try transaction.setMeta(FeedMeta.feed, FeedMeta.running)
      try transaction.setMetaList(FeedMeta.streams, streams)
      return try transaction.openGaps()
    }
  }

  /// Says that the feed has ended in order, and opens a gap of cause `shutdown`; durable when it returns.
  ///
  /// - Parameter lastDataAt: microseconds since 1970, UTC; `nil` if the feed received nothing: then there
  ///   is no data to lose, or a gap is open already.
  public func endFeed(lastDataAt: Int64?, streams: [String]) async throws {
    try await write { transaction in
      if let lastDataAt, try transaction.openGaps().isEmpty {
        _ = try transaction.openGap(startedAt: lastDataAt, cause: .shutdown, streams: streams)
      }
      try transaction.setMeta(FeedMeta.feed, FeedMeta.stopped)
    }
  }

  /// The list of streams that a feed subscribed to last.
  public func lastKnownStreams() async throws -> [String]? {
    try await write { transaction in
      try transaction.meta(FeedMeta.streams).map { try transaction.connection.elements(ofJSON: $0) }
    }
  }
}

extension WriteTransaction {
  func lastKnownStreams() throws -> [String]? {
    try meta(FeedMeta.streams).map { try connection.elements(ofJSON: $0) }
  }
}

extension LogReader {
  /// The list of streams that a feed subscribed to last.
  public func lastKnownStreams() throws -> [String]? { try metaList(FeedMeta.streams) }
}

private enum FeedMeta {
  static let feed = "feed"
  static let running = "running"
  static let stopped = "stopped"
  static let streams = "streams"
}
