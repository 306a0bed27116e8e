import Base

extension SQLiteConnection {
  func insertGap(
    startedAt: Int64, endedAt: Int64? = nil, cause: Gap.Cause, streams: [String], detail: String?
  ) throws(SQLiteError) -> Gap.ID {
    try run(
      "INSERT INTO gaps(started_at, ended_at, cause, streams, detail) VALUES (?1, max(?1, ?2), ?3, ?4, ?5)",
      .int(startedAt), .int(endedAt), .text(cause.rawValue), .text(JSONText.array(streams)), .text(detail))
    let id = Gap.ID(rawValue: lastInsertedRow)
    try addGapTime(of: id, 1)
    return id
  }

  /// Adds a gap's length, once for each of its streams, to what all ended gaps together are; nothing for an open one.
  private func addGapTime(of id: Gap.ID, _ sign: Int64) throws(SQLiteError) {
    try run(
      """
      INSERT INTO meta(key, value)
      SELECT ?1, ?2 * \(Self.gapMilliseconds("ended_at")) FROM gaps WHERE id = ?3 AND ended_at IS NOT NULL
      ON CONFLICT(key) DO UPDATE SET value = max(0, value + excluded.value)
      """, .text(MetaKey<Int64>.gapStreamTime.name), .int(sign), .int(id.rawValue))
  }

  private static func gapMilliseconds(_ end: String) -> String {
    """
    (max(0, \(end) - started_at) / 1000 * CASE WHEN json_valid(streams) THEN json_array_length(streams) ELSE 0 END)
    """
  }

  /// Milliseconds that streams have been in gaps, since the log is counted: ended ones, and those that are open so far.
  ///
  /// - Parameter now: microseconds since 1970, UTC.
  func gapStreamTime(at now: Int64) throws(SQLiteError) -> Int64 {
    let open = try int(
      "SELECT sum(\(Self.gapMilliseconds("?1"))) FROM gaps WHERE ended_at IS NULL", .int(now))
    return (try meta(.gapStreamTime) ?? 0).addingSaturated(open ?? 0)
  }

  func endGap(_ id: Gap.ID, at endedAt: Int64) throws(SQLiteError) {
    try run(
      "UPDATE gaps SET ended_at = max(started_at, ?) WHERE id = ? AND ended_at IS NULL", .int(endedAt),
      .int(id.rawValue))
    if changes == 1 { try addGapTime(of: id, 1) }
  }

  /// - Returns: whether there is such a gap, and it has ended.
  func extendGap(_ id: Gap.ID, to endedAt: Int64, detail: String?) throws(SQLiteError) -> Bool {
    try addGapTime(of: id, -1)
    try run(
      "UPDATE gaps SET ended_at = max(ended_at, ?), detail = ? WHERE id = ? AND ended_at IS NOT NULL",
      .int(endedAt), .text(detail), .int(id.rawValue))
    guard changes == 1 else { return false }
    try addGapTime(of: id, 1)
    return true
  }

  func reopenGap(_ id: Gap.ID) throws(SQLiteError) -> Bool {
    try addGapTime(of: id, -1)
    try run("UPDATE gaps SET ended_at = NULL WHERE id = ?", .int(id.rawValue))
    return changes == 1
  }

  /// Adds a gap to those that enabled consumers have yet to tell of, where their notes in `meta` say that they have
  /// told of it; a note that cannot be understood stays as it is.
  func tellAgain(of id: Gap.ID) throws(SQLiteError) {
    try run(
      """
      UPDATE meta SET value = json_insert(value, '$.open[#]', ?1)
      WHERE key IN (SELECT 'gaps ' || name FROM consumers WHERE enabled) AND
        CASE WHEN json_valid(value) THEN coalesce(json_extract(value, '$.next'), 0) > ?1 AND
          ?1 NOT IN (SELECT each.value FROM json_each(value, '$.open') AS each) ELSE 0 END
      """, .int(id.rawValue))
  }

  func gap(_ id: Gap.ID) throws(SQLiteError) -> Gap? {
    try gaps(from: id, atMost: 1, bytes: 1).first { $0.id == id }
  }

  /// Gaps that no data has ended yet, oldest first.
  func openGaps() throws(SQLiteError) -> [Gap] {
    try fetchAll(
      """
      SELECT id, started_at, ended_at, cause, CASE WHEN json_valid(streams) THEN streams ELSE '[]' END,
        \(detailColumn()) FROM gaps
      WHERE ended_at IS NULL ORDER BY id
      """
    ) { (row) throws(SQLiteError) in try gap(row) }
  }

  /// Its text, or NULL where it is no JSON, or the log is read as the first version left it.
  private func detailColumn() throws(SQLiteError) -> String {
    try columns(of: "gaps").contains("detail") ? "CASE WHEN json_valid(detail) THEN detail END" : "NULL"
  }

  /// The next gaps, open ones too.
  ///
  /// - Parameter bytes: of the names of streams, after which no more are read; at least one gap is.
  func gaps(from id: Gap.ID, atMost count: Int, bytes: Int) throws(SQLiteError) -> [Gap] {
    var read = 0
    func row(_ row: SQLiteStatement) throws(SQLiteError) -> Gap {
      read += row.bytes(4).count
      return try gap(row)
    }
    return try fetchAll(
      """
      SELECT id, started_at, ended_at, cause, CASE WHEN json_valid(streams) THEN streams ELSE '[]' END,
        \(detailColumn())
      FROM gaps WHERE id >= ? ORDER BY id LIMIT ?
      """, .int(id.rawValue), .int(count), while: { read < bytes }, row: row)
  }

  private func gap(_ row: SQLiteStatement) throws(SQLiteError) -> Gap {
    Gap(
      id: Gap.ID(rawValue: row.int(0)), startedAt: row.int(1), endedAt: row.optionalInt(2),
      cause: Gap.Cause(rawValue: row.text(3)), streams: try elements(ofJSON: row.text(4)),
      detail: row.optionalText(5))
  }

  /// Those of the gaps that are open no more: ended, or not kept any longer.
  func notOpen(of ids: [Gap.ID]) throws(SQLiteError) -> [Gap.ID] {
    try fetchAll(
      """
      SELECT value FROM json_each(?) WHERE NOT EXISTS
        (SELECT 1 FROM gaps WHERE id = value AND ended_at IS NULL) ORDER BY value
      """, .text("[\(ids.map { String($0.rawValue) }.joined(separator: ","))]")
    ) { Gap.ID(rawValue: $0.int(0)) }
  }

  func newestGap() throws(SQLiteError) -> Gap.ID? {
    try int("SELECT max(id) FROM gaps").map { Gap.ID(rawValue: $0) }
  }

  /// The longest that an ended gap took, and the beginning of the oldest open one, of the gaps that are kept;
  /// microseconds. `first` is the oldest kept.
  func gapBounds() throws(SQLiteError) -> (longest: Int64, oldestOpen: Int64?, first: Gap.ID?) {
    try fetchOne(
      """
      SELECT coalesce(max(ended_at - started_at), 0), min(CASE WHEN ended_at IS NULL THEN started_at END), min(id)
      FROM gaps
      """
    ) { ($0.int(0), $0.optionalInt(1), $0.optionalInt(2).map { Gap.ID(rawValue: $0) }) } ?? (0, nil, nil)
  }

  /// The count of gaps that have ended, and of those that were open at a time or after it, by cause; in one walk,
  /// without their streams.
  func gapCounts(since time: Int64) throws(SQLiteError) -> (ended: Int, recent: [Gap.Cause: Int]) {
    let rows = try fetchAll(
      """
      SELECT cause, count(ended_at), sum(coalesce(ended_at, ?1) >= ?1) FROM gaps GROUP BY cause
      """, .int(time)
    ) { (cause: Gap.Cause(rawValue: $0.text(0)), ended: Int($0.int(1)), recent: Int($0.int(2))) }
    var recent: [Gap.Cause: Int] = [:]
    for row in rows where row.recent > 0 { recent[row.cause] = row.recent }
    return (rows.reduce(0) { $0 + $1.ended }, recent)
  }

  /// The highest id of a gap without an open one before it, 0 without gaps.
  func lastEndedGap() throws(SQLiteError) -> Int64 {
    try int("SELECT coalesce((SELECT min(id) FROM gaps WHERE ended_at IS NULL) - 1, max(id), 0) FROM gaps")
      ?? 0
  }

  /// Deletes ended gaps, but for those that an enabled consumer has yet to tell of, by its note in `meta`; a
  /// note that cannot be understood keeps them all.
  func deleteGaps(through id: Int64) throws(SQLiteError) {
    try run(
      """
      DELETE FROM gaps WHERE id <= ? AND ended_at IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM consumers JOIN meta AS note ON note.key = 'gaps ' || name WHERE enabled AND
          CASE WHEN json_valid(note.value) THEN coalesce(json_extract(note.value, '$.next'), 0) <= gaps.id OR
            gaps.id IN (SELECT each.value FROM json_each(note.value, '$.open') AS each) ELSE 1 END)
      """, .int(id))
  }
}
