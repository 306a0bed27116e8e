import Base

/// The account of how much of what a run of the feed has received is proven complete by the exchange's own ids, by
/// kind of stream. The rest is complete as far as connections can tell.
package struct Completeness: Sendable, Equatable {
  package struct Kind: Sendable, Equatable {
    /// As the feed names it.
    package let name: String
    /// Those that have delivered.
    package var streams = 0
    /// Those of them whose ids are followed, and skip nowhere but in gaps.
    package var provenStreams = 0
    package var ticks = 0
    package var provenTicks = 0

    package init(name: String) { self.name = name }

    package mutating func add(ticks: Int, provenTicks: Int, isProven: Bool) {
      streams += 1
      self.ticks += ticks
      if isProven { provenStreams += 1 }
      self.provenTicks += provenTicks
    }
  }

  /// Microseconds since 1970, UTC: the run's start.
  package let since: Int64
  /// The same: when it was written.
  package let at: Int64
  package let kinds: [Kind]

  package init(since: Int64, at: Int64, kinds: [Kind]) {
    self.since = since
    self.at = at
    self.kinds = kinds
  }

  /// As `meta` has it.
  var json: String {
    let kinds = kinds.map { kind in
      #"{"kind":\#(JSONText.string(kind.name)),"streams":\#(kind.streams),"proven_streams":\#(kind.provenStreams),"#
        + #""ticks":\#(kind.ticks),"proven_ticks":\#(kind.provenTicks)}"#
    }
    return #"{"since":\#(since),"at":\#(at),"kinds":[\#(kinds.joined(separator: ","))]}"#
  }
}

extension WriteTransaction {
  /// Writes the account in place of the one before. To be written with the ticks that it speaks of.
  package func setCompleteness(_ completeness: Completeness) throws {
    try connection.setMeta(.completeness, completeness.json)
  }
}

extension SQLiteConnection {
  /// The account as it was written last; nil if there is none, or it cannot be understood.
  func completeness() throws(SQLiteError) -> Completeness? {
    let times = try fetchOne(
      """
      SELECT json_extract(value, '$.since'), json_extract(value, '$.at') FROM meta
      WHERE key = '\(MetaKey<String>.completeness.name)' AND json_valid(value)
      """
    ) { (since: $0.int(0), at: $0.int(1)) }
    guard let times else { return nil }
    let kinds = try fetchAll(Schema.completeness) { row in
      var kind = Completeness.Kind(name: row.text(0))
      kind.streams = Int(row.int(1))
      kind.provenStreams = Int(row.int(2))
      kind.ticks = Int(row.int(3))
      kind.provenTicks = Int(row.int(4))
      return kind
    }
    return Completeness(since: times.since, at: times.at, kinds: kinds)
  }
}
