extension LogReader {
  /// The next gaps in the order in which they were found, open ones too.
  ///
  /// - Parameters:
  ///   - count: the most to return.
  ///   - bytes: of the names of streams, after which no more are read; at least one gap is, if there is one.
  package func gaps(from id: Gap.ID, atMost count: Int, bytes: Int = 1 << 20) throws -> [Gap] {
    try read { connection in
      let statement = try connection.statement(
        """
        SELECT id, started_at, ended_at, cause, CASE WHEN json_valid(streams) THEN streams ELSE '[]' END
        FROM gaps WHERE id >= ? ORDER BY id LIMIT ?
        """)
      try statement.bind([.int(id.rawValue), .int(Int64(count))])
      defer { statement.reset() }
      var gaps: [Gap] = []
      var read = 0
      while read < bytes, try statement.step() {
        let streams = statement.text(4)
        read += streams.utf8.count
        gaps.append(
          Gap(
            id: Gap.ID(rawValue: statement.int(0)), startedAt: statement.int(1),
            endedAt: statement.optionalInt(2), cause: Gap.Cause(rawValue: statement.text(3)) ?? .closed,
            streams: try connection.elements(ofJSON: streams)))
      }
      return gaps
    }
  }

  /// Those of the gaps that are open no more: ended, or not kept any longer.
  package func notOpen(of ids: [Gap.ID]) throws -> [Gap.ID] {
    try read { connection in
      let statement = try connection.statement(
        """
        SELECT value FROM json_each(?) WHERE NOT EXISTS
          (SELECT 1 FROM gaps WHERE id = value AND ended_at IS NULL) ORDER BY value
        """)
      try statement.bind([.text("[\(ids.map { String($0.rawValue) }.joined(separator: ","))]")])
      defer { statement.reset() }
      var ended: [Gap.ID] = []
      while try statement.step() { ended.append(Gap.ID(rawValue: statement.int(0))) }
      return ended
    }
  }

  /// The gap that was found last; `nil` in a log without gaps.
  package func newestGap() throws -> Gap.ID? {
    try read { try $0.int("SELECT max(id) FROM gaps").map { Gap.ID(rawValue: $0) } }
  }
}
