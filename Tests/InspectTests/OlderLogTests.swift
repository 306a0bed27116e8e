import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import Inspect
@testable import WAL

/// Logs of an earlier version, checked and salvaged as they are.
@Suite struct OlderLogTests {
  private func withOldLog(
    _ old: Recordings.OldLog, _ body: (_ path: String, _ saved: String) async throws -> Void
  ) async throws {
    try await withTemporaryFolder { folder in
      try old.copy(to: folder + "/ticks.db")
      try await body(folder + "/ticks.db", folder + "/saved.db")
    }
  }

  private func version(_ path: String) async throws -> String? {
    let reader = try await LogReader(path: path)
    let version = try await reader.text("PRAGMA user_version")
    try await reader.close()
    return version
  }

  @Test(arguments: Recordings.OldLog.allCases)
  func `a whole one has no problems and stays as it is`(_ old: Recordings.OldLog) async throws {
    try await withOldLog(old) { path, _ in
      let before = try bytes(of: path)
      let result = try await LogVerification.of(path: path, consumers: kinds)
      #expect(result.problems.first == [])
      #expect(result.good > 0 && result.bad == 0)
      #expect(try bytes(of: path) == before)
      #expect(try await version(path) == "1")
    }
  }

  @Test func `one whose table is the new one, or none, is wrong`() async throws {
    try await withOldLog(.closed) { path, _ in
      try alter(path, "ALTER TABLE gaps ADD COLUMN detail TEXT")
      let problems = try await LogVerification.of(path: path, consumers: kinds).problems
      #expect(problems.first.map(\.text) == ["gaps is not as tickwal makes it"])
    }
    try await withOldLog(.closed) { path, _ in
      try alter(path, "PRAGMA user_version = \(Schema.version)")
      let problems = try await LogVerification.of(path: path, consumers: kinds).problems
      #expect(problems.first.contains { $0.text == "gaps is not as tickwal makes it" })
    }
  }

  @Test(arguments: Recordings.OldLog.allCases)
  func `what is salvaged of it is a log of today`(_ old: Recordings.OldLog) async throws {
    try await withOldLog(old) { path, saved in
      let expected = try await records(of: path)
      let ticks = try await contents(of: path).ticks
      let outcome = try await salvage(path, to: saved)
      #expect(outcome.notes == [])
      #expect(outcome.lost == 0)
      #expect(try await version(saved) == "\(Schema.version)")
      #expect(try await records(of: saved) == expected)
      #expect(try await contents(of: saved).ticks == ticks)
      #expect(try await LogVerification.of(path: saved, consumers: kinds).problems.first == [])
    }
  }

  /// The schema of a new log takes its place: that the old one had other columns, or its schema other pages, costs
  /// nothing.
  @Test(arguments: [false, true])
  func `with a damaged first page it is salvaged whole`(isMigrated: Bool) async throws {
    try await withOldLog(.closed) { path, saved in
      if isMigrated {
        // So many that the pages of the old table are free afterwards, and the schema goes elsewhere.
        try alter(
          path,
          """
          WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 200)
          INSERT INTO gaps(started_at, ended_at, cause, streams)
            SELECT n, n + 1, 'closed', json_array(hex(zeroblob(100))) FROM number
          """)
        let log = try await TickLog.open(path: path, options: .make(), logger: silent)
        _ = try await log.write {
          try $0.openGap(startedAt: 1, cause: .unsubscribed, streams: [], detail: "{\"code\":4}")
        }
        // They take the pages that the change has left free.
        try await log.append(ticks(600, from: 91))
        try await log.close()
      }
      let expected = try await records(of: path)
      let ticks = try await contents(of: path).ticks
      #expect(ticks.count == (isMigrated ? 690 : 90))
      var file = try bytes(of: path)
      for index in 100..<2_000 { file[index] ^= 0x55 }
      try write(file, to: path)
      let outcome = try await salvage(path, to: saved)
      #expect(outcome.lost == 0)
      #expect(outcome.foundOnPages == 0)
      #expect(try await records(of: saved) == expected)
      #expect(try await contents(of: saved).ticks == ticks)
      #expect(try await LogVerification.of(path: saved, consumers: kinds).problems.first == [])
    }
  }

  @Test func `a detail that is no JSON is left out and its gap kept`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      try await makeFullLog(path)
      let expected = try await records(of: path)
      try alter(path, "UPDATE gaps SET detail = '{' WHERE id = 1")
      let outcome = try await salvage(path, to: folder + "/saved.db")
      #expect(outcome.notes == ["gaps: 1 rows lost their detail: each has a detail that is no JSON"])
      #expect(try await records(of: folder + "/saved.db") == expected)
    }
  }
}
