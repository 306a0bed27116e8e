import Base
import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import Inspect
@testable import WAL

@Suite(.serialized) struct VerifyTests {
  private func problems(after sql: String) async throws -> LogProblems {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      try await makeFullLog(path)
      if !sql.isEmpty {
        try alter(
          path, "PRAGMA writable_schema = ON; PRAGMA ignore_check_constraints = ON; \(sql)")
      }
      return try await LogVerification.of(path: path, consumers: kinds).problems
    }
  }

  @Test func `a log as it must be has no problems`() async throws {
    #expect(try await problems(after: "").first == [])
    #expect(try await problems(after: "INSERT INTO meta VALUES ('import abc', '8 done')").first == [])
  }

  @Test(arguments: [
    ("DELETE FROM ticks WHERE offset = 33", LogProblem.Kind.ticks, "offset 33: the row is missing"),
    ("DELETE FROM ticks WHERE offset BETWEEN 33 AND 40", .ticks, "offset 33 to 40: the row is missing"),
    ("DELETE FROM ticks WHERE offset > 390", .ticks, "offset 391 to 400: the row is missing"),
    (
      "UPDATE ticks SET payload = payload || ' ' WHERE offset = 5", .ticks,
      "offset 5: the row's checksum is wrong"
    ),
    (
      "UPDATE ticks SET stream = CAST(stream AS BLOB) WHERE offset = 5", .ticks,
      "offset 5: whole, but stored under a wrong type"
    ),
    ("UPDATE meta SET value = 399 WHERE key = 'head'", .ticks, "offset 400 is there, but the head is 399"),
    ("UPDATE meta SET value = 1 << 40 WHERE key = 'head'", .meta, "beyond what a file"),
    ("DELETE FROM meta WHERE key = 'head'", .meta, "there is no head"),
    ("DELETE FROM meta WHERE key = 'log_id'", .meta, "log_id is missing"),
    ("UPDATE meta SET value = '0123' WHERE key = 'log_id'", .meta, "log_id has a value that cannot be"),
    ("UPDATE meta SET value = 'x' WHERE key = 'feed'", .meta, "feed has a value that cannot be"),
    (
      "INSERT INTO meta VALUES ('trimmed', 500)", .meta,
      "everything up to 500 is trimmed, but the head is 400"
    ),
    ("UPDATE consumers SET next_offset = 402 WHERE name = 'dynamodb'", .consumers, "dynamodb reads 402 next"),
    ("UPDATE consumers SET next_offset = 0 WHERE name = 'dynamodb'", .consumers, "dynamodb reads 0 next"),
    (
      "UPDATE consumers SET next_offset = 351 WHERE name = 's3'", .batches,
      "is open, but the consumer has passed it"
    ),
    ("UPDATE consumers SET next_offset = 310 WHERE name = 's3'", .batches, "is cut in two"),
    (
      "UPDATE consumers SET next_offset = 251 WHERE name = 's3'", .batches,
      "is shipped, but the consumer is not past"
    ),
    (
      "UPDATE consumers SET destination = 'x' WHERE name = 's3'", .consumers, "s3 has a column that cannot be"
    ),
    ("UPDATE consumers SET name = 's 3' WHERE name = 's3'", .consumers, "s 3 is not the name of a consumer"),
    (
      "UPDATE consumers SET name = 'feed' WHERE name = 's3'", .consumers, "feed is not the name of a consumer"
    ),
    ("UPDATE consumers SET name = 's2' WHERE name = 's3'", .batches, "is of no consumer of the log"),
    ("DELETE FROM consumers WHERE name = 's3'", .batches, "is of no consumer of the log"),
    ("DELETE FROM batches WHERE first_offset = 101", .batches, "s3 has passed offsets 101 to 150"),
    (
      "UPDATE batches SET last_offset = 149 WHERE first_offset = 101", .batches,
      "s3 has passed offsets 150 to 150"
    ),
    (
      "UPDATE batches SET last_offset = 151 WHERE first_offset = 101", .batches,
      "overlaps the one that ends at 151"
    ),
    ("UPDATE batches SET last_offset = 410 WHERE first_offset = 351", .batches, "ends after the head 400"),
    (
      "UPDATE batches SET last_offset = 90 WHERE first_offset = 101", .batches, "batch 101 of s3 has a column"
    ),
    ("UPDATE batches SET rows = 51 WHERE first_offset = 101", .batches, "has 51 rows"),
    ("UPDATE batches SET key = replace(key, '-101-', '-10-')", .batches, "has a key of other offsets"),
    ("UPDATE batches SET sha256 = 'x' WHERE first_offset = 101", .batches, "has no SHA-256"),
    (
      "UPDATE batches SET shipped_at = NULL WHERE first_offset = 101", .batches, "has a column that cannot be"
    ),
    ("UPDATE gaps SET ended_at = started_at - 1 WHERE id = 1", .gaps, "gap 1 ends before it begins"),
    ("UPDATE gaps SET streams = 'x' WHERE id = 1", .gaps, "gap 1 has a column that cannot be"),
    ("UPDATE gaps SET cause = 'because' WHERE id = 1", .gaps, "gap 1 has a column that cannot be"),
    ("UPDATE gaps SET detail = '{' WHERE id = 1", .gaps, "gap 1 has a detail that is no JSON"),
    ("UPDATE gaps SET detail = x'7b7d' WHERE id = 1", .gaps, "gap 1 has a detail that is no JSON"),
    ("UPDATE dead_letters SET offset = 401 WHERE id = 1", .deadLetters, "dead letter 1 at offset 401"),
    ("UPDATE dead_letters SET offset = NULL WHERE id = 1", .deadLetters, "dead letter 1 has a column"),
    ("UPDATE dead_letters SET consumer = 'kinesis' WHERE id = 1", .deadLetters, "is of no consumer"),
    ("UPDATE skipped SET last_offset = 19", .skipped, "skipped range at 20 of dynamodb has a column"),
    ("DROP INDEX open_batches", .schema, "open_batches is missing"),
    ("DROP VIEW backlog", .schema, "backlog is missing"),
    (
      "UPDATE sqlite_schema SET sql = replace(sql, 'expired', 'expirex') WHERE name = 'consumers'", .schema,
      "consumers is not as tickwal makes it"
    ),
    (
      "UPDATE sqlite_schema SET rootpage = (SELECT rootpage FROM sqlite_schema WHERE name = 'gaps') WHERE name = 'skipped'",
      .structure, "2nd reference"
    ),
  ])
  func `what is wrong is found and said`(_ sql: String, _ kind: LogProblem.Kind, _ text: String) async throws
  {
    let problems = try await problems(after: sql)
    #expect(
      problems.first.contains { $0.kind == kind && $0.text.contains(text) },
      "\(problems.first.map { "\($0.kind.rawValue): \($0.text)" })")
  }

  @Test func `a hole that dead letters account for is none`() async throws {
    let sql = """
      DELETE FROM batches WHERE first_offset = 251;
      UPDATE consumers SET next_offset = 251 WHERE name = 's3';
      DELETE FROM batches WHERE first_offset > 251;
      UPDATE consumers SET next_offset = 253 WHERE name = 's3';
      INSERT INTO dead_letters(offset, consumer, cause, attempts, payload, created_at)
        VALUES (251, 's3', 'x', 1, x'00', 1), (252, 's3', 'x', 1, x'00', 1);
      """
    #expect(try await problems(after: sql).first == [])
    #expect(
      try await problems(after: sql + "DELETE FROM dead_letters WHERE offset = 252").first.map(\.text)
        == ["s3 has passed offsets 251 to 252, which are in none of its batches"])
  }

  @Test func `what is trimmed is not missing`() async throws {
    let trimmed = """
      DELETE FROM ticks WHERE offset <= 120; DELETE FROM batches WHERE last_offset <= 100;
      UPDATE consumers SET next_offset = 50 WHERE name = 'dynamodb'; INSERT INTO meta VALUES ('trimmed', 120);
      """
    #expect(try await problems(after: trimmed).first == [])
    // Rows up to the line may still be there.
    #expect(
      try await problems(after: trimmed.replacing("offset <= 120; DELETE", with: "offset <= 60; DELETE"))
        .first == [])
    // A batch that is open holds its own.
    let held = """
      DELETE FROM ticks WHERE offset <= 300 OR offset BETWEEN 351 AND 390;
      DELETE FROM batches WHERE state = 'shipped'; INSERT INTO meta VALUES ('trimmed', 390);
      """
    #expect(
      try await problems(after: held).first.map(\.text) == ["offset 351 to 390: the row is missing"])
  }

  @Test func `of many problems the first are kept and all counted`() async throws {
    let problems = try await problems(after: "DELETE FROM ticks WHERE offset % 2 = 0")
    #expect(problems.first.count == LogProblems.kept)
    #expect(problems.counts == [.ticks: 200])
  }

  @Test func `ticks appended meanwhile are no problem`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(500))
      let isAppended = Latch<Void>()
      let result = try await LogVerification.of(path: path, consumers: kinds) { progress in
        guard case .structure = progress else { return }
        // On the reader's thread, before anything is read.
        do {
          let taken = try log.tryAppend(ticks(100, from: 501)) { _ in isAppended.set(()) }
          #expect(taken)
        } catch {
          Issue.record(error)
        }
      }
      try await isAppended.wait()
      #expect(result.problems.first == [])
      #expect(result.good == 500 || result.good == 600)
      let after = try await LogVerification.of(path: path, consumers: kinds)
      #expect(after.good == 600)
      #expect(after.problems.first == [])
    }
  }
}
