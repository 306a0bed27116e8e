import Glibc
import Ingest
import Logging
import Simulate
import Testing
import WAL

@testable import struct Ingest.BackOff
@testable import struct Ingest.FeedSession

/// A folder of its own that is gone with the value.
final class TemporaryFolder: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/tickwal-ingest-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    // Flat: nothing here makes folders inside.
    guard let folder = opendir(path) else { return }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      unlink(path + "/" + name)
    }
    closedir(folder)
    rmdir(path)
  }

  func file(_ name: String) -> String { path + "/" + name }

  func write(_ lines: [String], to name: String) throws -> String {
    let path = file(name)
    let stream = try #require(fopen(path, "w"))
    for line in lines { fputs(line + "\n", stream) }
    try #require(fclose(stream) == 0)
    return path
  }

  func lines(of name: String) throws -> [String] {
    let stream = try #require(fopen(file(name), "r"))
    defer { fclose(stream) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while case let count = fread(&chunk, 1, chunk.count, stream), count > 0 {
      bytes.append(contentsOf: chunk[..<count])
    }
    return bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
  }
}

/// A row of the log, or of its gaps, as a test compares it.
struct TickRow: Equatable {
  var stream: String
  var payload: String
  var eventTime: Int64?
  var receivedAt: Int64
}

struct GapRow: Equatable {
  var startedAt: Int64
  var endedAt: Int64?
  var cause: String
  var streams: String
}

/// A log in a folder of its own, and feeds that write to it.
struct FeedFixture {
  let folder = TemporaryFolder()
  let log: TickLog
  var logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  var path: String { folder.file("ticks.db") }

  init(options: TickLog.Options = .init()) async throws {
    log = try await TickLog.open(path: folder.file("ticks.db"), options: options, logger: logger)
  }

  func startExchange(_ change: (inout ExchangeConfiguration) -> Void = { _ in }) async throws
    -> SimulatedExchange
  {
    var configuration = ExchangeConfiguration()
    change(&configuration)
    return try await SimulatedExchange.start(configuration, logger: logger)
  }

  func makeFeed(
    port: Int, streams: [String], url: String? = nil, caBundle: String? = nil,
    limits: FeedSession.Limits = .init()
  ) throws -> Feed {
    let address = try FeedAddress(
      url: url ?? "ws://127.0.0.1:\(port)", testnet: false, streams: streams)
    // Shorter pauses than in service, so that tests of reconnecting are quick.
    var backOff = BackOff()
    backOff.first = .milliseconds(10)
    backOff.limit = .milliseconds(100)
    return try Feed(
      configuration: FeedConfiguration(address: address, streams: streams, caBundle: caBundle),
      feedLog: log, logger: logger, wallClock: WallClock.now, random: { 0.5 }, limits: limits,
      backOff: backOff)
  }

  /// Runs a feed while `body` looks on, then stops it; everything received is durable afterwards.
  func running(_ feed: Feed, _ body: () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await feed.run() }
      let result = await outcome(body)
      feed.stop()
      try await group.waitForAll()
      try result.get()
    }
  }

  private func outcome(_ body: () async throws -> Void) async -> Result<Void, any Error> {
    do { return .success(try await body()) } catch { return .failure(error) }
  }

  func waitForHead(_ count: Int) async throws {
    try await eventually("\(count) ticks") { log.head.rawValue >= count }
  }

  func ticks() throws -> [TickRow] {
    try query("SELECT stream, payload, event_time, received_at FROM ticks ORDER BY offset") {
      TickRow(
        stream: $0.text(0), payload: $0.text(1), eventTime: $0.optionalInt(2), receivedAt: $0.int(3))
    }
  }

  func gaps() throws -> [GapRow] {
    try query("SELECT started_at, ended_at, cause, streams FROM gaps ORDER BY id") {
      GapRow(
        startedAt: $0.int(0), endedAt: $0.optionalInt(1), cause: $0.text(2), streams: $0.text(3))
    }
  }

  func deadLetters() throws -> [String] {
    try query("SELECT payload FROM dead_letters WHERE consumer = 'feed' ORDER BY id") {
      String(decoding: $0.bytes(0), as: UTF8.self)
    }
  }

  private func query<Row>(_ sql: String, _ row: (borrowing SQLiteStatement) -> Row) throws -> [Row] {
    let connection = try SQLiteConnection(path: path, access: .readOnly, vfs: nil)
    defer { try? connection.close() }
    let statement = try connection.statement(sql)
    var rows: [Row] = []
    while try statement.step() { rows.append(row(statement)) }
    statement.reset()
    return rows
  }
}

struct TimedOut: Error, CustomStringConvertible {
  let description: String
}

/// Polls until something holds; a test that waits for what another thread does has no event for everything.
func eventually(
  _ what: String, within limit: Duration = .seconds(30), _ condition: () async throws -> Bool
) async throws {
  let clock = ContinuousClock()
  let deadline = clock.now + limit
  while try await !condition() {
    guard clock.now < deadline else { throw TimedOut(description: "still waiting for \(what)") }
    try await clock.sleep(for: .milliseconds(2))
  }
}
