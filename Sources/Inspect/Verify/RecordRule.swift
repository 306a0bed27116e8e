import Base
import WAL

/// A condition on rows that must not be in a table, as SQL: for finding them, and for leaving them, or a column of
/// them, out of a salvaged log.
struct RecordRule {
  let kind: LogProblem.Kind
  let table: String
  /// Names a row.
  let subject: String
  /// True for a row that breaks the rule. NULL counts as broken, too.
  let isBroken: String
  let says: String
  /// The column that it is about, if a row is worth keeping without it; logs of older versions may lack it.
  let column: String?

  private init(
    _ kind: LogProblem.Kind, _ table: String, _ subject: String, _ isBroken: String, _ says: String,
    column: String? = nil
  ) {
    self.column = column
    self.kind = kind
    self.table = table
    self.subject = subject
    self.isBroken = isBroken
    self.says = says
  }

  var query: String {
    "SELECT \(subject) FROM \(table) WHERE coalesce(\(isBroken), 1)"
  }

  /// For a salvaged log.
  var remedy: String {
    let change = column.map { "UPDATE \(table) SET \($0) = NULL" } ?? "DELETE FROM \(table)"
    return "\(change) WHERE coalesce(\(isBroken), 1)"
  }

  var remedySays: String { column.map { "lost their \($0)" } ?? "were left out" }

  func applies(to connection: SQLiteConnection) throws(SQLiteError) -> Bool {
    guard let column else { return true }
    return try connection.columns(of: table).contains(column)
  }

  private static let head = "(SELECT value FROM meta WHERE key = 'head')"
  private static let inputs = list(.feed, .fileImport)

  private static func list(_ names: ConsumerName...) -> String {
    "(\(names.map { "'\($0)'" }.joined(separator: ", ")))"
  }

  private static func notIntegers(_ columns: String...) -> String {
    columns.map { "typeof(\($0)) <> 'integer'" }.joined(separator: " OR ")
  }

  private static func notTexts(_ columns: String...) -> String {
    columns.map { "typeof(\($0)) <> 'text'" }.joined(separator: " OR ")
  }

  static let all: [RecordRule] = [
    RecordRule(
      .consumers, "consumers", "name",
      """
      \(notTexts("name")) OR name = '' OR name GLOB '*[^a-z0-9-]*' OR
      name IN \(list(.feed, .fileImport, .salvage))
      """, "is not the name of a consumer"),
    RecordRule(
      .consumers, "consumers", "name",
      "\(notIntegers("next_offset", "updated_at", "enabled", "expired")) OR \(notTexts("destination"))",
      "has a column of another type"),
    RecordRule(
      .consumers, "consumers", "name || ' reads ' || next_offset || ' next'",
      "next_offset < 1 OR next_offset > \(head) + 1", "which is not between 1 and the head's next"),
    RecordRule(
      .consumers, "consumers", "name",
      "enabled NOT IN (0, 1) OR expired < 0 OR json_type(CASE WHEN json_valid(destination) THEN destination END) <> 'object'",
      "has a column that cannot be"),
    RecordRule(
      .batches, "batches", "'batch ' || first_offset || ' of ' || consumer",
      "consumer NOT IN (SELECT name FROM consumers)", "is of no consumer of the log"),
    RecordRule(
      .batches, "batches", "'batch ' || first_offset || ' of ' || consumer",
      """
      \(notIntegers("first_offset", "last_offset", "rows", "planned_at")) OR
      \(notTexts("destination", "bucket", "key", "sha256", "earlier_sha256"))
      """, "has a column of another type"),
    RecordRule(
      .batches, "batches", "'batch ' || first_offset || ' of ' || consumer",
      """
      first_offset < 1 OR last_offset < first_offset OR state NOT IN ('planned', 'shipped') OR
      (state = 'shipped') <> (typeof(shipped_at) = 'integer') OR
      json_type(CASE WHEN json_valid(earlier_sha256) THEN earlier_sha256 END) <> 'array'
      """, "has a column that cannot be"),
    RecordRule(
      .gaps, "gaps", "'gap ' || id",
      """
      \(notIntegers("started_at")) OR typeof(ended_at) NOT IN ('integer', 'null') OR
      cause NOT IN \(Gap.Cause.sqlList) OR
      json_type(CASE WHEN json_valid(streams) THEN streams END) <> 'array'
      """, "has a column that cannot be"),
    RecordRule(
      .gaps, "gaps", "'gap ' || id", "ended_at IS NOT NULL AND ended_at < started_at",
      "ends before it begins"),
    RecordRule(
      .gaps, "gaps", "'gap ' || id",
      "detail IS NOT NULL AND (typeof(detail) <> 'text' OR NOT json_valid(detail))",
      "has a detail that is no JSON", column: "detail"),
    RecordRule(
      .deadLetters, "dead_letters", "'dead letter ' || id",
      """
      typeof(offset) NOT IN ('integer', 'null') OR \(notIntegers("attempts", "created_at")) OR
      \(notTexts("consumer", "cause")) OR attempts < 0 OR (offset IS NULL) <> (consumer IN \(inputs))
      """, "has a column that cannot be"),
    RecordRule(
      .deadLetters, "dead_letters", "'dead letter ' || id || ' at offset ' || offset",
      "offset IS NOT NULL AND (offset < 1 OR offset > \(head))", "is of no tick of the log"),
    RecordRule(
      .deadLetters, "dead_letters", "'dead letter ' || id || ' of ' || consumer",
      "consumer NOT IN \(list(.feed, .fileImport, .salvage)) AND consumer NOT IN (SELECT name FROM consumers)",
      "is of no consumer of the log"),
    RecordRule(
      .skipped, "skipped", "'skipped range at ' || first_offset || ' of ' || consumer",
      """
      \(notIntegers("first_offset", "last_offset", "created_at")) OR \(notTexts("consumer", "why")) OR
      first_offset < 1 OR last_offset < first_offset OR last_offset > \(head)
      """, "has a column that cannot be"),
    RecordRule(
      .skipped, "skipped", "'skipped range at ' || first_offset || ' of ' || consumer",
      "consumer NOT IN \(list(.salvage)) AND consumer NOT IN (SELECT name FROM consumers)",
      "is of no consumer of the log"),
    RecordRule(
      .meta, "meta", "key",
      """
      CASE key WHEN 'head' THEN typeof(value) <> 'integer' OR value < 0
        WHEN 'trimmed' THEN typeof(value) <> 'integer' OR value < 0 OR value > \(head)
        WHEN 'created_at' THEN typeof(value) <> 'integer'
        WHEN 'log_id' THEN length(value) <> 16 OR value GLOB '*[^0-9a-f]*'
        WHEN 'feed' THEN value NOT IN ('running', 'stopped')
        WHEN 'streams' THEN json_type(CASE WHEN json_valid(value) THEN value END) <> 'array'
        ELSE 0 END
      """, "has a value that cannot be"),
  ]
}
