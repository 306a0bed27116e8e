import Base
import Foundation
import Ingest
import Logging
import Simulate
import TestSupport
import Testing
import WAL

@testable import protocol Ingest.FeedLog
@testable import struct Ingest.FeedSession
@testable import enum Ingest.HostLookup
@testable import struct Ingest.Overlap

/// A folder of its own that is gone with the value.
final class TemporaryFolder: Sendable {
  let path: String

  init() {
    var template = Array("/tmp/tickwal-ingest-XXXXXX".utf8CString)
    path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
  }

  deinit {
    do {
      try FileManager.default.removeItem(atPath: path)
    } catch {
      Issue.record("cannot remove \(path): \(error)")
    }
  }

  func file(_ name: String) -> String { path + "/" + name }

  func write(_ lines: [String], to name: String) throws -> String {
    try (lines.joined(separator: "\n") + "\n").write(toFile: file(name), atomically: true, encoding: .utf8)
    return file(name)
  }

  func lines(of name: String) throws -> [String] {
    try String(contentsOfFile: file(name), encoding: .utf8).split(separator: "\n").map(String.init)
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

extension FeedSession.Limits {
  /// For a machine that is busy with other things: nothing is given up because it takes long.
  static let patient: FeedSession.Limits = {
    var limits = FeedSession.Limits()
    limits.opening = .seconds(600)
    limits.answering = .seconds(600)
    limits.pongTimeout = .seconds(600)
    limits.staleAfter = .seconds(600)
    return limits
  }()
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
    limits: FeedSession.Limits = .patient, attemptLimit: Int = 300, capacity: Int? = nil,
    log: (any FeedLog)? = nil, resolve: @escaping HostLookup.Resolve = HostLookup.system
  ) throws -> Feed {
    let endpoint = try FeedEndpoint(url: url ?? "ws://127.0.0.1:\(port)", testnet: false)
    // Shorter pauses than in service, so that tests of reconnecting are quick.
    let backoff = Backoff(base: .milliseconds(10), cap: .milliseconds(100), jitter: .equal)
    var overlap = Overlap.Limits()
    overlap.settling = .zero
    // On a machine that is busy, one connection may lag far behind the other.
    overlap.hold = .seconds(60)
    var configuration = FeedConfiguration(endpoint: endpoint, streams: streams, caBundle: caBundle)
    configuration.limits.attempts = attemptLimit
    if let capacity { configuration.limits.streamsPerConnection = capacity }
    return try Feed(
      configuration: configuration, feedLog: log ?? self.log, logger: logger, wallClock: WallClock.now,
      random: { 0.5 }, limits: limits, overlap: overlap, backoff: backoff,
      // Nor is a process that waits for the others frozen.
      lateness: .seconds(3_600), resolve: resolve)
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
    try await require("\(count) ticks") { log.head.rawValue >= count }
  }

  func ticks() throws -> [TickRow] {
    try query("SELECT stream, payload, event_time, received_at FROM ticks ORDER BY offset") {
      TickRow(
        stream: $0.text(0), payload: $0.text(1), eventTime: $0.optionalInt(2), receivedAt: $0.int(3))
    }
  }

  /// The streams that the log holds ticks of.
  func streams() throws -> Set<String> {
    Set(try query("SELECT DISTINCT stream FROM ticks") { $0.text(0) })
  }

  func gaps() throws -> [GapRow] {
    try query("SELECT started_at, ended_at, cause, streams FROM gaps ORDER BY id") {
      GapRow(
        startedAt: $0.int(0), endedAt: $0.optionalInt(1), cause: $0.text(2), streams: $0.text(3))
    }
  }

  /// `gaps.detail` of the gaps of one cause.
  func details(of cause: String) throws -> [String] {
    try query("SELECT detail FROM gaps WHERE cause = '\(cause)' ORDER BY id") { $0.text(0) }
  }

  /// The view of what is proven, a line for each kind: streams, proven ones, ticks, proven ones.
  func completeness() throws -> [String: [Int]] {
    let rows = try query("SELECT kind, streams, proven_streams, ticks, proven_ticks FROM completeness") {
      row in
      (kind: row.text(0), figures: (1...4).map { Int(row.int(Int32($0))) })
    }
    return Dictionary(uniqueKeysWithValues: rows.map { ($0.kind, $0.figures) })
  }

  /// What the log holds, stream by stream in the log's order, as the combined messages that it came in.
  func messagesByStream() throws -> [String: [String]] {
    Dictionary(grouping: try ticks(), by: \.stream).mapValues { rows in
      rows.map { "{\"stream\":\"\($0.stream)\",\"data\":\($0.payload)}" }
    }
  }

  /// What the exchange's record holds, stream by stream.
  func sentByStream(_ name: String = "sent") throws -> [String: [String]] {
    Dictionary(grouping: try folder.lines(of: name)) {
      String($0.dropFirst(11).prefix { $0 != "\"" })
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

/// Fails the test, rather than letting it go on, if something does not come to hold.
func require(_ what: String, _ condition: () async throws -> Bool) async throws {
  try #require(try await eventually(within: .seconds(200), condition), "still waiting for \(what)")
}
