import Base
import WAL

/// Makes a whole log of the rows that were brought over: what contradicts itself goes, and what is lost is written
/// down.
struct SalvageFinish {
  let copy: SQLiteConnection
  /// Of the old log, `nil` if it could not be read.
  let extent: LogExtent?
  let fileBytes: Int
  /// The note of how far the old log was when it was committed to last, as far as that is known outside of it.
  let note: HeadHint?
  /// The consumers that this program has.
  let kinds: [ConsumerKind]

  func run(_ outcome: inout SalvageOutcome) throws {
    try copy.execute("BEGIN")
    try settleMeta(&outcome)
    try settleConsumers(&outcome)
    try applyRules(&outcome)
    for consumer in try copy.consumers() { try settleBatches(of: consumer, &outcome) }
    try writeDownLost(&outcome)
    try copy.run(
      "DELETE FROM dead_letters WHERE consumer = ? AND offset IN (SELECT offset FROM ticks)",
      .text(ConsumerName.salvage.rawValue))
    try copy.execute("COMMIT")
  }

  // MARK: Meta

  private func settleMeta(_ outcome: inout SalvageOutcome) throws {
    let last = try copy.lastTick()?.rawValue ?? 0
    var head = max(last, extent?.kept?.upperBound.rawValue ?? extent?.head?.rawValue ?? 0)
    if extent?.head == nil {
      // No offset may be used again, so what else names one counts.
      let named = try copy.int(
        "SELECT max(o) FROM (SELECT max(next_offset) - 1 AS o FROM consumers UNION ALL SELECT max(last_offset) FROM batches)"
      )
      if let named, named <= head.addingSaturated(Int64(fileBytes / TickRow.leastBytes)) {
        head = max(head, named)
      }
      outcome.notes.append("the head could not be read: it is taken to be \(head)")
    }
    if let note, try copy.meta(.logID) == note.logID {
      head = max(head, note.head.rawValue)
    }
    outcome.head = Offset(rawValue: head)
    try copy.setMeta(.head, outcome.head)
    if extent == nil, let first = try copy.firstTick()?.rawValue, first > 1 {
      try copy.setMeta(.trimmed, Offset(rawValue: first - 1))
      outcome.notes.append(
        "what was trimmed could not be read: it is taken to be everything up to \(first - 1)")
    }
    if let id = try copy.meta(.logID), id.rawValue.isHex(16) {
      outcome.logID = id
    } else {
      let known = try logIDOfKeys()
      outcome.logID = known ?? .random()
      outcome.hasNewLogID = known == nil
      try copy.setMeta(.logID, outcome.logID)
    }
    if try copy.int("SELECT value FROM meta WHERE key = 'created_at' AND typeof(value) = 'integer'") == nil {
      try copy.setMeta(.createdAt, WallClock.now())
    }
  }

  /// The newest object's name has it.
  private func logIDOfKeys() throws(SQLiteError) -> LogID? {
    let key = try copy.text("SELECT key FROM batches WHERE key <> '' ORDER BY planned_at DESC LIMIT 1") ?? ""
    let parts = key.split(separator: "-")
    guard parts.count >= 3 else { return nil }
    let id = String(parts[parts.count - 3])
    return id.isHex(16) ? LogID(rawValue: id) : nil
  }

  // MARK: Consumers and batches

  /// A consumer that is lost or stands where it cannot is put where its batches say.
  private func settleConsumers(_ outcome: inout SalvageOutcome) throws(SQLiteError) {
    let statement = try copy.prepare(
      "SELECT consumer, max(first_offset), destination FROM batches GROUP BY consumer")
    while try statement.step() {
      let name = statement.text(0)
      // A name that is not known may be a damaged one: without a row of its own, nothing is made of it.
      let isThere = try isConsumer(name)
      guard isThere || kinds.shipsInBatches(ConsumerName(rawValue: name)) else { continue }
      if !isThere {
        try copy.run(
          "INSERT INTO consumers(name, next_offset, destination, updated_at, enabled) VALUES (?, 0, ?, ?, 1)",
          .text(name), .text(statement.text(2)), .int(WallClock.now()))
      }
      let next = try copy.int("SELECT next_offset FROM consumers WHERE name = ?", .text(name)) ?? 0
      if next < 1 || next > outcome.head.next.rawValue { try placeByBatches(name, &outcome) }
    }
  }

  private func isConsumer(_ name: String) throws(SQLiteError) -> Bool {
    try copy.int("SELECT 1 FROM consumers WHERE name = ?", .text(name)) != nil
  }

  private func placeByBatches(_ name: String, _ outcome: inout SalvageOutcome) throws(SQLiteError) {
    let next =
      try copy.int(
        """
        SELECT coalesce(min(CASE WHEN state <> 'shipped' THEN first_offset END), max(last_offset) + 1)
        FROM batches WHERE consumer = ?
        """, .text(name)) ?? 1
    try copy.run("UPDATE consumers SET next_offset = ? WHERE name = ?", .int(next), .text(name))
    outcome.notes.append("\(name) goes on where its batches end, at offset \(Figures.grouped(next))")
  }

  private func applyRules(_ outcome: inout SalvageOutcome) throws(SQLiteError) {
    for rule in RecordRule.all {
      try copy.run(rule.remedy)
      let count = copy.changes
      if count > 0 {
        outcome.notes.append("\(rule.table): \(count) rows \(rule.remedySays): each \(rule.says)")
      }
    }
  }

  private func settleBatches(of consumer: Consumer, _ outcome: inout SalvageOutcome) throws {
    let trimmed = try copy.trimmed()
    let check = RecordCheck(connection: copy, head: outcome.head, trimmed: trimmed, kinds: kinds)
    var problems = try batchProblems(check, consumer)
    if !problems.isEmpty {
      try placeByBatches(consumer.name.rawValue, &outcome)
      problems = try batchProblems(check, try find(consumer.name))
    }
    // What does not fit wherever the consumer stands.
    while !problems.isEmpty {
      for range in Set(problems.first.compactMap(\.range)) {
        try copy.run(
          "DELETE FROM batches WHERE consumer = ? AND first_offset = ?", .text(consumer.name.rawValue),
          .int(range.lowerBound.rawValue))
        outcome.notes.append(
          "batch \(range.lowerBound) to \(range.upperBound) of \(consumer.name) was left out: it is damaged")
      }
      problems = try batchProblems(check, try find(consumer.name))
    }
    var holes: [OffsetRange] = []
    var ignored = LogProblems()
    try check.checkBatches(of: try find(consumer.name), &ignored) { (hole, _) throws(SQLiteError) in
      holes.append(hole)
    }
    for hole in holes {
      try skip(hole, consumer.name, SkipReason.salvaged)
    }
    if let first = holes.first, let last = holes.last {
      outcome.notes.append(
        "\(consumer.name) has passed offsets from \(first.lowerBound) to \(last.upperBound) whose batches could not be read: they are recorded as skipped"
      )
    }
  }

  private func find(_ name: ConsumerName) throws -> Consumer {
    guard let consumer = try copy.consumers().first(where: { $0.name == name }) else {
      throw LogError(.failed, "the consumer \(name) was lost during the salvage")
    }
    return consumer
  }

  private func batchProblems(_ check: RecordCheck, _ consumer: Consumer) throws(SQLiteError) -> LogProblems {
    var problems = LogProblems()
    try check.checkBatches(of: consumer, &problems) { (_, _) throws(SQLiteError) in }
    return problems
  }

  private func skip(_ range: OffsetRange, _ consumer: ConsumerName, _ why: String) throws(SQLiteError) {
    try copy.insertSkipped(range, of: consumer, why: why, at: WallClock.now())
  }

  // MARK: Ticks

  private func writeDownLost(_ outcome: inout SalvageOutcome) throws(SQLiteError) {
    var problems = LogProblems()
    let extent = try LogExtent(copy, fileBytes: .max / 2, &problems)
    let statement = try copy.prepare("SELECT offset FROM ticks WHERE offset BETWEEN ? AND ? ORDER BY offset")
    for range in extent.ranges {
      try statement.bind(1, range.lowerBound.rawValue)
      try statement.bind(2, range.upperBound.rawValue)
      var next = range.lowerBound
      while true {
        let found = try statement.step() ? Offset(rawValue: statement.int(0)) : range.upperBound.next
        if next < found { try lose(next...found.previous, known: extent.lost, &outcome) }
        guard found <= range.upperBound else { break }
        next = found.next
      }
      statement.reset()
    }
  }

  private func lose(
    _ range: OffsetRange, known: [OffsetRange], _ outcome: inout SalvageOutcome
  ) throws(SQLiteError) {
    outcome.lost = outcome.lost.addingSaturated(range.length)
    if outcome.lostRanges.count < LogProblems.kept { outcome.lostRanges.append(range) }
    guard !known.contains(where: { $0.contains(range.lowerBound) && $0.contains(range.upperBound) }) else {
      return
    }
    try skip(range, .salvage, "could not be read when the log was salvaged")
  }
}
