import Base
import Glibc
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct SchemaTests {
  private func mode(_ path: String) -> mode_t? {
    var info = stat()
    return stat(path, &info) == 0 ? info.st_mode & 0o7777 : nil
  }

  @Test func `the file says what it is`() async throws {
    try await withLog { log, path in
      let reader = try await log.makeReader()
      #expect(try await reader.text("PRAGMA application_id") == "1415004492")
      #expect(try await reader.text("PRAGMA user_version") == "2")
      #expect(try await reader.text("PRAGMA auto_vacuum") == "2")
      #expect(try await reader.text("PRAGMA journal_mode") == "wal")
      #expect(try await reader.text("PRAGMA integrity_check") == "ok")
      let id = try await reader.logID().rawValue
      #expect(id.wholeMatch(of: /[0-9a-f]{16}/) != nil)
      #expect(try await reader.text("SELECT typeof(value) FROM meta WHERE key = 'head'") == "integer")
      try await reader.close()
      try await log.close()
      let again = try await TickLog.open(path: path, options: .make(), logger: silent)
      let other = try await again.makeReader()
      #expect(try await other.logID().rawValue == id)
      try await other.close()
      try await again.close()
    }
  }

  @Test func `every log has a name of its own`() async throws {
    let first = try await withLog { log, _ in try await log.write { try $0.logID() } }
    let second = try await withLog { log, _ in try await log.write { try $0.logID() } }
    #expect(first != second)
  }

  @Test func `only the owner may read the files`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(1))
      for suffix in ["", "-wal", "-shm", ".lock"] { #expect(mode(path + suffix) == 0o600, "\(suffix)") }
    }
  }

  @Test func `the tables have the documented columns`() async throws {
    try await withLog { log, _ in
      let reader = try await log.makeReader()
      func columns(_ table: String) async throws -> String? {
        try await reader.text("SELECT group_concat(name) FROM pragma_table_info('\(table)')")
      }
      #expect(try await columns("ticks") == "offset,received_at,event_time,stream,payload,checksum")
      #expect(try await columns("consumers")?.hasPrefix("name,next_offset,destination,updated_at") == true)
      #expect(try await columns("gaps") == "id,started_at,ended_at,cause,streams,detail")
      #expect(
        try await columns("dead_letters") == "id,offset,consumer,cause,attempts,payload,created_at")
      #expect(try await columns("skipped")?.hasPrefix("consumer,first_offset,last_offset,why") == true)
      #expect(try await columns("meta") == "key,value")
      #expect(
        try await columns("backlog") == "consumer,next_offset,head,lag,oldest_unshipped_seconds")
      let batches = try #require(try await columns("batches"))
      for column in ["first_offset", "last_offset", "key", "rows", "sha256", "state"] {
        #expect(batches.split(separator: ",").contains(Substring(column)))
      }
      try await reader.close()
    }
  }

  @Test func `a closed log is one file`() async throws {
    try await withLog { log, path in
      try await log.append(ticks(1))
      try await log.close()
      #expect(mode(path + "-wal") == nil)
      #expect(mode(path + "-shm") == nil)
      #expect(mode(path + ".new") == nil)
    }
  }
}
