import Foundation
import Logging
import Synchronization
import TestSupport
import WAL

package let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// 2026-11-21 05:13:20.123456 UTC.
package let someTime: Int64 = 1_795_238_000_123_456

extension TickLog.Options {
  package static func make(
    vfs: String? = nil, linger: Duration = .zero, capacity: Int? = nil, clock: ManualWallClock? = nil
  ) -> TickLog.Options {
    var options = TickLog.Options()
    options.vfs = vfs
    options.linger = linger
    if let capacity { options.queueCapacity = capacity }
    if let clock { options.wallClock = { clock.now } }
    return options
  }
}

/// Runs `body` with a new log, which is closed afterwards if `body` has not done so.
package func withLog<T>(
  isolation: isolated (any Actor)? = #isolation, options: TickLog.Options = .make(),
  logger: Logger = silent, _ body: (_ log: TickLog, _ path: String) async throws -> T
) async throws -> T {
  try await withTemporaryFolder { folder in
    let log = try await TickLog.open(path: folder + "/ticks.db", options: options, logger: logger)
    let result: Result<T, any Error>
    do {
      result = .success(try await body(log, folder + "/ticks.db"))
    } catch {
      result = .failure(error)
    }
    do {
      try await log.close()
    } catch let error as LogError {
      // A test that broke the log on purpose has looked at the error itself.
      if case .success = result, try await log.failure().code != error.code { throw error }
    }
    return try result.get()
  }
}

/// As a process that was killed would leave it: the files as they are now, without their locks.
///
/// Another program copies, because a descriptor on the log closed in this process would drop SQLite's locks.
package func copyFiles(of path: String, to copy: String) throws {
  for suffix in ["", "-wal"] where access(path + suffix, F_OK) == 0 {
    let result = try runProgram("cp", [path + suffix, copy + suffix])
    guard result.status == 0 else { throw FixtureFailure("copying \(path + suffix): \(result.errors)") }
  }
}

/// What a batch holds, one tick a line, for comparing.
package func lines(_ batch: TickBatch) -> [String] {
  batch.entries.map { entry in
    "\(entry.receivedAt) \(entry.eventTime.map(String.init) ?? "-") \(batch.stream(of: entry)) "
      + batch.payload(of: entry)
  }
}

/// Ticks numbered from `first`, each with a payload of its own.
package func ticks(_ count: Int, from first: Int = 1, padding: Int = 0) -> TickBatch {
  var batch = TickBatch()
  let pad = String(repeating: "x", count: padding)
  for number in first..<first + count {
    batch.append(
      receivedAt: someTime + Int64(number), eventTime: number % 3 == 0 ? nil : Int64(number),
      stream: "btcusdt@miniTicker", payload: "{\"n\":\(number),\"pad\":\"\(pad)\"}")
  }
  return batch
}

package func offsets(_ range: ClosedRange<Int64>) -> OffsetRange {
  Offset(rawValue: range.lowerBound)...Offset(rawValue: range.upperBound)
}

/// Reads the whole log in pages, and checks that pages follow one another.
package func readAll(
  _ reader: LogReader, from first: Offset = .first, pageTicks: Int = 700
) async throws -> (ticks: [Int64: String], bad: [Int64]) {
  var next = first
  var all: [Int64: String] = [:]
  var bad: [Int64] = []
  while true {
    let page = try await reader.page(from: next, maximumTicks: pageTicks)
    guard let range = page.range else { break }
    guard range.lowerBound == next, page.offsets.count + page.bad.count == range.length else {
      throw FixtureFailure(
        "a page from \(next) has \(range), \(page.offsets.count) good and \(page.bad.count) bad ticks")
    }
    for (offset, line) in zip(page.offsets, lines(page.ticks)) { all[offset.rawValue] = line }
    bad += page.bad.map(\.offset.rawValue)
    next = range.upperBound.next
  }
  return (all, bad)
}

/// Opens, reads everything and closes again.
package func contents(of path: String) async throws -> (ticks: [Int64: String], bad: [Int64], head: Offset) {
  let reader = try await LogReader(path: path)
  let (ticks, bad) = try await readAll(reader)
  let head = try await reader.head()
  try await reader.close()
  return (ticks, bad, head)
}

/// Runs SQL on the closed log, to damage it.
package func alter(_ path: String, _ sql: String) throws {
  let connection = try SQLiteConnection(path: path, access: .readWrite)
  try connection.execute(sql)
  try connection.close()
}

extension LogReader {
  /// Runs any statement on the reader's own connection.
  package func execute(_ sql: String) throws { try read { try $0.execute(sql) } }
  package func text(_ sql: String) throws -> String? { try read { try $0.text(sql) } }
}

/// The error's code, if it is the log's.
package func code(of error: any Error) -> LogError.Code? { (error as? LogError)?.code }

/// What `body` throws, which must be an error of the log.
package func logError(
  isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void
) async throws -> LogError {
  do {
    try await body()
  } catch let error as LogError {
    return error
  }
  throw FixtureFailure("nothing was thrown")
}

/// A value that several threads change.
package final class Shared<Value: Sendable>: Sendable {
  private let value: Mutex<Value>

  package init(_ value: Value) { self.value = Mutex(value) }

  package func withLock<T: Sendable>(_ body: @Sendable (inout Value) -> T) -> T {
    value.withLock { body(&$0) }
  }
  package var current: Value { value.withLock { $0 } }
}

/// What a fixture itself could not do, or found to be otherwise than it must be.
package struct FixtureFailure: Error, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

extension TickLog {
  /// Attempts to connect kept as Binance counts them.
  private static let attempts = AttemptMemory(count: 300, window: .seconds(300))

  package func beginFeed(streams: [String]) async throws -> FeedStart {
    try await beginFeed(streams: streams, attempts: Self.attempts)
  }

  package func recordAttempt(
    at time: Int64, completion: @escaping @Sendable (Result<Void, any Error>) -> Void
  ) {
    recordAttempt(at: time, keeping: Self.attempts, completion: completion)
  }
}

extension LogReader {
  /// Every plan that was not confirmed yet, in order.
  package func openPlans(of consumer: ConsumerName) throws -> [BatchPlan] {
    try plans(of: consumer, in: .first...Offset(rawValue: 1 << 40), atMost: 1_000_000).filter {
      $0.state == .planned
    }
  }
}
