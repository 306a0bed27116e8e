import Base

extension LogReader {
  /// The list of streams that a feed subscribed to last, and since when it is as it is, in microseconds since 1970,
  /// UTC; `nil` if no feed ever ran.
  package func streamList() throws -> (names: [String], since: Int64)? {
    try read { connection in
      guard let names = try connection.metaList(.streams) else { return nil }
      return (names, try connection.meta(.feedStreamSince) ?? WallClock.now())
    }
  }

  /// The time from which on ticks may be missing that no gap speaks of yet, because the feed runs, or was killed;
  /// microseconds since 1970, UTC. There a gap would begin if it were killed now.
  ///
  /// - Returns: `nil` where gaps say all.
  package func feedWatermark() throws -> Int64? {
    try read { connection in
      guard try connection.meta(.feed) == FeedMeta.running else { return nil }
      let named = try Set(connection.openGaps().flatMap(\.streams))
      return try connection.feedSlots().filter { slot in !slot.streams.allSatisfy(named.contains) }
        .compactMap(\.lastDataAt).min()
    }
  }

  /// The ticks that a consumer has passed without delivering them, as far as they are kept: skipped ones and dead
  /// letters. `newest` is when the last of them was passed; microseconds since 1970, UTC.
  ///
  /// - Returns: `nil` if there are none.
  package func passedOver(by consumer: ConsumerName) throws -> (ticks: Int, newest: Int64)? {
    try read { connection in
      try connection.fetchOne(
        """
        SELECT CAST(min(total(ticks), 9e15) AS INTEGER), max(at) FROM (
          SELECT last_offset - first_offset + 1 AS ticks, created_at AS at FROM skipped
          WHERE consumer = ?1 AND first_offset <= last_offset
          UNION ALL SELECT 1, created_at FROM dead_letters WHERE consumer = ?1 AND "offset" IS NOT NULL)
        HAVING count(*) > 0
        """, .text(consumer.rawValue)
      ) { (ticks: Int($0.int(0)), newest: $0.int(1)) }
    }
  }
}
