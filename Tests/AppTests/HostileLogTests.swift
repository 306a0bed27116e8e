import Base
import Foundation
import Inspect
import LogFixtures
import Shippers
import TestSupport
import Testing

@testable import WAL
@testable import tickwal

/// Logs whose tables say anything at all, as damage or a stranger's hand leaves them: whoever reads them may refuse,
/// and never traps. A trap ends the test's process, so there is little else to be expected here.
@Suite(.serialized, .timeLimit(.minutes(10))) struct HostileLogTests {
  private static let count = 40

  /// SQL literals, of other types and at the ends of 64 bits.
  private static let values = [
    "-9223372036854775808", "9223372036854775807", "4611686018427387904", "'x'", "NULL", "x'00ff'", "'[1,2'",
    "'[\"-9223372036854775808\",\"9223372036854775807\",[],{}]'",
    "'{\"since\":-9223372036854775808,\"at\":9223372036854775807,\"next\":9223372036854775807,\"open\":[1e99]}'",
  ]

  /// For keys of `meta`, what is parsed further.
  private static let texts = [
    "'9223372036854775807 boot 9223372036854775807 -9223372036854775808'", "'9223372036854775807@0'",
    "'-9223372036854775808 crash'", "'9223372036854775807'", "'-9223372036854775808'", "'running'",
  ]

  private static let keys = [
    "head", "trimmed", "created_at", "log_id", "last_received_at", "feed", "feed_hold", "feed_attempts",
    "streams",
    "feed_slot 0", "feed_data 0", "completeness", "retention_clock", "retention_marks", "retention_gap_marks",
    "held s3", "passed s3", "gaps s3", "predecessor_left",
  ]

  struct Change: CustomStringConvertible, Sendable {
    let description: String
    let sql: String
  }

  private static func changes(of table: TableCopy) -> [Change] {
    if table.table == "meta" {
      return keys.flatMap { key in
        (values + texts).map {
          Change(description: "\(key)=\($0)", sql: "REPLACE INTO meta VALUES ('\(key)', \($0))")
        }
      }
    }
    return table.columns.flatMap { column in
      values.map { value in
        Change(
          description: "\(table.table).\(column)=\(value)",
          sql: """
            UPDATE OR IGNORE \(table.table) SET \(column) = \(value)
            WHERE \(column) IS (SELECT \(column) FROM \(table.table) ORDER BY \(table.order[0]) DESC LIMIT 1)
            """)
      }
    }
  }

  /// Each change on a log of its own.
  private func attack(_ changes: [Change]) async throws {
    try await withTemporaryFolder { folder in
      let whole = folder + "/whole.db"
      try await makeFullLog(whole, ticks: Self.count)
      let bytes = try bytes(of: whole)
      for (number, change) in changes.enumerated() {
        let path = folder + "/\(number).db"
        try write(bytes, to: path)
        do {
          let connection = try SQLiteConnection(path: path, access: .readWrite)
          try connection.execute(
            "PRAGMA ignore_check_constraints = ON; PRAGMA synchronous = OFF; " + change.sql)
          try connection.close()
        } catch let error as SQLiteError {
          // Some columns take no NULL, and a key no other type.
          #expect(error.isConstraint, "\(change): \(error)")
        }
        await read(path)
        // The same rows are written by few.
        if number % 5 == 0 { await use(path, folder) }
        for suffix in ["", "-wal", "-shm", ".lock", ".saved"] { unlink(path + suffix) }
      }
    }
  }

  private func allowing(_ body: () async throws -> Void) async {
    do { try await body() } catch {
      #expect(error is LogError || error is SQLiteError || error is SeekError, "\(type(of: error)): \(error)")
    }
  }

  /// The commands that read.
  private func read(_ path: String) async {
    await allowing {
      let reader = try await LogReader(path: path)
      await allowing {
        let status = try await reader.status()
        let report = StatusReport(status, path: path, feed: .noProcess, since: status)
        _ = (report.lines(width: 80), report.document.text)
      }
      await allowing {
        let letters = try await reader.deadLetters(of: nil, atMost: 100, payload: 100)
        let report = DeadLetterReport(letters: letters, counts: try await reader.deadLetterCounts())
        _ = (report.lines(width: 80), report.document.text, letters.map(DeadLetterReport.lines))
      }
      await allowing { _ = try await reader.gaps(from: Gap.ID(rawValue: .min), atMost: 100) }
      await allowing {
        let all = Offset(rawValue: .min)...Offset(rawValue: .max)
        for consumer in try await reader.consumers() {
          await allowing { _ = try await reader.plans(of: consumer.name, in: all, atMost: 100) }
          await allowing { _ = try await reader.highestPlanned(of: consumer.name) }
          await allowing { _ = try await reader.highestPassed(by: consumer.name) }
          await allowing {
            _ = all.without(try await reader.skipped(of: consumer.name, in: all)).map(\.length)
          }
          await allowing { _ = try await reader.deadOffsets(of: consumer.name, in: all) }
        }
      }
      await allowing { _ = try await reader.firstOffset(receivedFrom: 0) }
      for first in [Offset(rawValue: .min), Offset(rawValue: 30), Offset(rawValue: .max)] {
        await allowing { _ = try await reader.page(from: first, maximumTicks: 100) }
        await allowing {
          let replay = try await Replay(
            reader: reader, from: first, through: Offset(rawValue: Int64(Self.count)), logger: silent,
            report: { _ in })
          _ = try await replay.rows { _ in }
        }
      }
      try await reader.close()
    }
    await allowing {
      var report = VerifyReport(path: path)
      report.verification = try await LogVerification.of(path: path, consumers: kinds)
      _ = (report.lines, report.document.text)
    }
  }

  /// The commands that write: a start of `run`, `seek`, a salvage.
  private func use(_ path: String, _ folder: String) async {
    await allowing { _ = try await salvage(path, to: path + ".saved") }
    await allowing {
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      await allowing {
        let requests = try await log.write { try $0.connection.consumers() }
          .map { ConsumerRequest(name: $0.name, destination: $0.destination) }
        _ = try await log.enable(requests, acceptDestinations: true, logger: silent)
      }
      await allowing {
        _ = try await log.beginFeed(
          streams: ["a@trade"], attempts: AttemptMemory(count: 300, window: .seconds(300)))
      }
      for offset in [Offset(rawValue: .min), .first, Offset(rawValue: .max)] {
        await allowing { _ = try await log.seek(SeekRequest(consumer: s3, offset: offset, maySkip: true)) }
      }
      await allowing {
        log.startUpkeep(retention: .zero, disk: .off)
        try await log.upkeepDone()
      }
      await allowing { try await log.append(ticks(1, from: 41)) }
      try await log.close()
    }
  }

  @Test(arguments: TableCopy.all.map(\.table))
  func `no value in any column of any table traps who reads it`(table: String) async throws {
    let copy = try #require(TableCopy.all.first { $0.table == table })
    try await attack(Self.changes(of: copy))
  }

  @Test func `no value in any column of the ticks traps who reads it, with a checksum that fits it too`()
    async throws
  {
    let columns = TickRow.columns.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    let plain = columns.flatMap { column in
      Self.values.map {
        Change(
          description: "ticks.\(column)=\($0)",
          sql: "UPDATE OR IGNORE ticks SET \(column) = \($0) WHERE offset = 35")
      }
    }
    // As a stranger would write it who knows how.
    let fitting = [Int64.min, .max, -62_135_596_800_000_001, 253_402_300_800_000_000].flatMap { time in
      [nil, Int64.min, .max].map { eventTime in
        let (stream, payload) = (Array("a@trade".utf8), Array("{\"e\":\"trade\"}".utf8))
        let checksum = stream.withUnsafeBytes { stream in
          payload.withUnsafeBytes { payload in
            Checksum.row(
              offset: Offset(rawValue: 35), receivedAt: time, eventTime: eventTime, stream: stream,
              payload: payload)
          }
        }
        return Change(
          description: "received_at=\(time)",
          sql: """
            REPLACE INTO ticks VALUES (35, \(time), \(eventTime.map(String.init) ?? "NULL"), 'a@trade',
              '{"e":"trade"}', \(checksum))
            """)
      }
    }
    try await attack(plain + fitting)
  }
}
