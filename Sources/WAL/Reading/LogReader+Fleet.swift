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

  /// The streams that have left that list within a day, and when last, though they may be back; microseconds since
  /// 1970, UTC.
  package func streamsLeft() throws -> [String: Int64] { try read { try $0.streamsLeft() } }

  /// An offset from which on ticks were received at a time or later, found without reading all: with a clock that was
  /// set it may be another one.
  ///
  /// - Parameter time: microseconds since 1970, UTC.
  package func offset(near time: Int64, through head: Offset) throws -> Offset {
    var (low, high) = (try read { try $0.logStart() }.rawValue, head.next.rawValue)
    while low < high {
      let middle = low + (high - low) / 2
      if try receivedAt(from: Offset(rawValue: middle)) ?? .max < time {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return Offset(rawValue: low)
  }

  /// The first time of receipt of each of these streams, in some ticks from an offset on; microseconds since 1970, UTC.
  ///
  /// - Parameter maximum: of the ticks that are read.
  /// - Returns: also the offset behind the last that was read, and when that was received; `nil` if there was none.
  package func firstTicks(of streams: [String: Int64], from offset: Offset, atMost maximum: Int) throws -> (
    first: [String: Int64], next: Offset, newest: Int64?
  ) {
    let wanted = Dictionary(streams.map { (Array($0.key.utf8), (name: $0.key, since: $0.value)) }) { one, _ in
      one
    }
    var first: [String: Int64] = [:]
    var (next, newest, left) = (max(offset, try read { try $0.logStart() }), Int64?.none, maximum)
    while left > 0 {
      let page = try page(from: next, maximumTicks: min(left, 10_000))
      guard let range = page.range else { break }
      for tick in page.ticks.entries {
        newest = max(newest ?? .min, tick.receivedAt)
        // One before that is of an earlier time in the list.
        guard let stream = wanted[Array(page.ticks.bytes[tick.stream])], tick.receivedAt >= stream.since
        else { continue }
        first[stream.name] = min(first[stream.name] ?? .max, tick.receivedAt)
      }
      next = range.upperBound.next
      left -= range.length
    }
    return (first, next, newest)
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
