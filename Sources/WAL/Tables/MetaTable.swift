import Base

/// A key of `meta` and the type of its value. A key that belongs to a consumer or a connection has its name or
/// number at the end.
package struct MetaKey<Value: MetaValue>: Sendable {
  package let name: String
  package init(name: String) { self.name = name }
}

/// A type that values of `meta` can have.
package protocol MetaValue: Sendable {
  /// - Parameter statement: on a row with the value as its first column.
  static func read(_ statement: SQLiteStatement) -> Self?
  var stored: SQLiteValue { get }
}

extension Int64: MetaValue {
  package static func read(_ statement: SQLiteStatement) -> Int64? { statement.optionalInt(0) }
  package var stored: SQLiteValue { .int(self) }
}

extension Offset: MetaValue {
  package static func read(_ statement: SQLiteStatement) -> Offset? {
    statement.optionalInt(0).map { Offset(rawValue: $0) }
  }
  package var stored: SQLiteValue { .int(rawValue) }
}

extension String: MetaValue {
  package static func read(_ statement: SQLiteStatement) -> String? { statement.optionalText(0) }
  package var stored: SQLiteValue { .text(self) }
}

extension LogID: MetaValue {
  package static func read(_ statement: SQLiteStatement) -> LogID? {
    statement.optionalText(0).map { LogID(rawValue: $0) }
  }
  package var stored: SQLiteValue { .text(rawValue) }
}

/// A list of texts, stored as a JSON array.
package struct MetaList: MetaValue {
  let json: String

  init(json: String) { self.json = json }
  init(_ texts: [String]) { json = JSONText.array(texts) }

  package static func read(_ statement: SQLiteStatement) -> MetaList? {
    statement.optionalText(0).map { MetaList(json: $0) }
  }
  package var stored: SQLiteValue { .text(json) }
}

extension MetaKey<Offset> {
  /// The last offset; 0 in a log that nothing was ever appended to.
  package static var head: Self { Self(name: "head") }
  /// The last offset before the log start offset.
  package static var trimmed: Self { Self(name: "trimmed") }
}

extension MetaKey<LogID> {
  package static var logID: Self { Self(name: "log_id") }
}

extension MetaKey<Int64> {
  /// Microseconds since 1970, UTC.
  package static var createdAt: Self { Self(name: "created_at") }
  /// Microseconds since 1970, UTC; of the last tick, once that is trimmed.
  static var lastReceivedAt: Self { Self(name: "last_received_at") }
  /// Microseconds since 1970, UTC; before that the exchange does not want to be asked.
  static var feedHold: Self { Self(name: "feed_hold") }
  /// Milliseconds in which streams were in gaps that have ended, each stream counted.
  static var gapStreamTime: Self { Self(name: "gap_stream_ms") }
  /// Milliseconds for which streams were in the feed's list, each stream counted, until ``feedStreamSince``.
  static var feedStreamTime: Self { Self(name: "feed_stream_ms") }
  /// Microseconds since 1970, UTC: since then the list is as it is.
  static var feedStreamSince: Self { Self(name: "feed_stream_since") }
}

extension MetaKey<String> {
  static var retentionClock: Self { Self(name: "retention_clock") }
  static var offsetMarks: Self { Self(name: "retention_marks") }
  static var gapMarks: Self { Self(name: "retention_gap_marks") }
  /// Whether a feed runs: `running` or `stopped`.
  static var feed: Self { Self(name: "feed") }
  /// The time up to which nothing of a connection's streams is missing, as text.
  static func feedData(_ slot: Int) -> Self { Self(name: feedDataPrefix + String(slot)) }
  static var feedDataPrefix: String { "feed_data " }
  /// See ``PredecessorLeft``, until a feed has written the gap.
  static var predecessorLeft: Self { Self(name: "predecessor_left") }
  /// How much of the feed's last run is proven complete, as JSON.
  static var completeness: Self { Self(name: "completeness") }
  /// The highest offset that a consumer had behind it before it was moved back, as text.
  static func passed(_ consumer: ConsumerName) -> Self { Self(name: "passed \(consumer)") }
}

extension MetaKey<MetaList> {
  static var streams: Self { Self(name: "streams") }
  /// The streams that a connection carries.
  static func feedSlot(_ slot: Int) -> Self { Self(name: feedSlotPrefix + String(slot)) }
  static var feedSlotPrefix: String { "feed_slot " }
  /// Names and times by turns, see ``SQLiteConnection/noteLeft(for:at:)``.
  static var streamsLeft: Self { Self(name: "streams_left") }
  /// The times at which attempts to connect were made.
  static var feedAttempts: Self { Self(name: "feed_attempts") }
}

extension SQLiteConnection {
  package func meta<Value>(_ key: MetaKey<Value>) throws(SQLiteError) -> Value? {
    try fetchOne("SELECT value FROM meta WHERE key = ?", .text(key.name)) { Value.read($0) } ?? nil
  }

  package func setMeta<Value>(_ key: MetaKey<Value>, _ value: Value) throws(SQLiteError) {
    try run(
      "INSERT INTO meta(key, value) VALUES (?, ?) ON CONFLICT(key) DO UPDATE SET value = excluded.value",
      .text(key.name), value.stored)
  }

  func removeMeta(_ name: String) throws(SQLiteError) {
    try run("DELETE FROM meta WHERE key = ?", .text(name))
  }

  func metaList(_ key: MetaKey<MetaList>) throws(SQLiteError) -> [String]? {
    guard let list = try meta(key) else { return nil }
    return try elements(ofJSON: list.json)
  }

  /// The texts of a JSON array.
  func elements(ofJSON text: String) throws(SQLiteError) -> [String] {
    try fetchAll("SELECT value FROM json_each(?)", .text(text)) { $0.text(0) }
  }

  // MARK: The log's two ends

  /// The last offset of the log.
  package func head() throws(SQLiteError) -> Offset {
    guard let head = try meta(.head) else {
      throw SQLiteError.contradiction("meta has no head")
    }
    return head
  }

  /// Within the transaction that appends.
  func setHead(_ head: Offset) throws(SQLiteError) {
    try run("UPDATE meta SET value = ? WHERE key = 'head'", .int(head.rawValue))
  }

  /// Everything up to this offset, the one before the log start offset, is trimmed; what open plans hold of it is
  /// there and counts for them alone.
  package func trimmed() throws(SQLiteError) -> Offset { try meta(.trimmed) ?? .zero }

  /// The log start offset: of the oldest tick kept, not counting what is kept for open plans alone. In a log without
  /// ticks, the next one that is appended.
  func logStart() throws(SQLiteError) -> Offset { try trimmed().next }

  /// The oldest tick kept; `nil` if there is none.
  ///
  /// The ticks are not asked: one that is missing or lies on a damaged page is a bad row, and not trimmed.
  func oldestOffset() throws(SQLiteError) -> Offset? {
    let start = try logStart()
    return start <= (try head()) ? start : nil
  }

  // MARK: Feed

  /// The connections of the feed that ran last, in their order.
  func feedSlots() throws(SQLiteError) -> [FeedEnd] {
    let slots = try fetchAll(
      """
      SELECT slot.value, data.value FROM meta AS slot
      LEFT JOIN meta AS data ON data.key = ?1 || substr(slot.key, length(?2) + 1)
      WHERE slot.key GLOB ?2 || '*' ORDER BY CAST(substr(slot.key, length(?2) + 1) AS INTEGER)
      """, .text(MetaKey<String>.feedDataPrefix), .text(MetaKey<MetaList>.feedSlotPrefix)
    ) { (streams: $0.text(0), lastDataAt: $0.optionalText(1).flatMap { Int64($0) }) }
    var ends: [FeedEnd] = []
    for slot in slots {
      ends.append(FeedEnd(streams: try elements(ofJSON: slot.streams), lastDataAt: slot.lastDataAt))
    }
    return ends
  }

  /// Forgets connections that are not among these, and how far they were. Of a new one something may be missing from
  /// now on.
  ///
  /// - Parameter now: microseconds since 1970, UTC.
  func setFeedSlots(_ slots: [Int: [String]], at now: Int64) throws(SQLiteError) {
    let kept = JSONText.array(slots.keys.map(String.init))
    for prefix in [MetaKey<MetaList>.feedSlotPrefix, MetaKey<String>.feedDataPrefix] {
      try run(
        """
        DELETE FROM meta WHERE key GLOB ?1 || '*'
        AND substr(key, length(?1) + 1) NOT IN (SELECT value FROM json_each(?2))
        """, .text(prefix), .text(kept))
    }
    for (number, streams) in slots {
      try setMeta(.feedSlot(number), MetaList(streams))
      if try meta(.feedData(number)) == nil { try setMeta(.feedData(number), String(now)) }
    }
  }

  /// Milliseconds for which streams have been in the feed's list, each stream counted, whether a process ran or not.
  ///
  /// - Parameter now: microseconds since 1970, UTC.
  func feedStreamTime(at now: Int64) throws(SQLiteError) -> Int64 {
    let counted = try meta(.feedStreamTime) ?? 0
    guard let since = try meta(.feedStreamSince), now > since else { return counted }
    let streams =
      try int(
        "SELECT CASE WHEN json_valid(value) THEN json_array_length(value) END FROM meta WHERE key = ?",
        .text(MetaKey<MetaList>.streams.name)) ?? 0
    let (time, overflow) = (now.subtractingSaturated(since) / 1_000).multipliedReportingOverflow(by: streams)
    return overflow ? .max : counted.addingSaturated(time)
  }

  /// Counts for another list of streams from now on. To be called before that is written.
  func countStreamTime(at now: Int64) throws(SQLiteError) {
    try setMeta(.feedStreamTime, feedStreamTime(at: now))
    try setMeta(.feedStreamSince, now)
  }

  /// Notes which streams are not in the list any more, of which is told whoever looks at it now and then: one that has
  /// left, and is back by then, was away. To be called before a new list is written.
  func noteLeft(for streams: [String], at now: Int64) throws(SQLiteError) {
    let left = Set(try metaList(.streams) ?? []).subtracting(streams)
    guard !left.isEmpty else { return }
    var times = try streamsLeft().filter { $0.value > now.subtractingSaturated(86_400_000_000) }
    for stream in left { times[stream] = now }
    try setMeta(
      .streamsLeft, MetaList(times.sorted { $0.key < $1.key }.flatMap { [$0.key, String($0.value)] }))
  }

  /// The streams that have left the list within a day, and when last; microseconds since 1970, UTC.
  func streamsLeft() throws(SQLiteError) -> [String: Int64] {
    let words = try metaList(.streamsLeft) ?? []
    var times: [String: Int64] = [:]
    for index in stride(from: 0, to: words.count - 1, by: 2) {
      if let time = Int64(words[index + 1]) { times[words[index]] = time }
    }
    return times
  }

  // MARK: Consumers

  /// Notes that a consumer waits for the operator; held on, for another reason perhaps, it is held since then.
  func setHold(_ hold: Hold, of consumer: ConsumerName) throws(SQLiteError) {
    try run(
      """
      INSERT INTO meta(key, value) VALUES ('held ' || ?1, json_object('since', ?2, 'why', ?3))
      ON CONFLICT(key) DO UPDATE SET value = json_object('since',
        CASE WHEN json_valid(value) THEN coalesce(json_extract(value, '$.since'), ?2) ELSE ?2 END, 'why', ?3)
      """, .text(consumer.rawValue), .int(hold.since), .text(hold.why))
  }

  func removeHold(of consumer: ConsumerName) throws(SQLiteError) {
    try run("DELETE FROM meta WHERE key = 'held ' || ?", .text(consumer.rawValue))
  }
}
