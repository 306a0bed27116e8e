import Base
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// 2026-11-21 05:13:20.123456 UTC.
package let someTime: Int64 = 1_795_238_000_123_456

package func offset(_ value: Int64) -> Offset { Offset(rawValue: value) }
package func offsets(_ range: ClosedRange<Int64>) -> OffsetRange {
  offset(range.lowerBound)...offset(range.upperBound)
}

/// Ticks whose payloads tell their offsets, one millisecond apart.
package func ticks(_ count: Int, from first: Int = 1, receivedAt: Int64 = someTime, padding: Int = 0)
  -> TickBatch
{
  var batch = TickBatch()
  let pad = padding == 0 ? "" : ",\"p\":\"\(String(repeating: "x", count: padding))\""
  for number in first..<first + count {
    batch.append(
      receivedAt: receivedAt + Int64(number) * 1_000, eventTime: nil, stream: "btcusdt@test",
      payload: "{\"n\":\(number)\(pad)}")
  }
  return batch
}

/// The numbers of the rows in a text.
package func numbers(inRows text: [UInt8]) -> [Int64] {
  String(decoding: text, as: UTF8.self).split(separator: "\n").map { row in
    let start = row.firstRange(of: "\"n\":")?.upperBound ?? row.endIndex
    return Int64(row[start...].prefix { $0.isNumber }) ?? -1
  }
}

/// By another program than ours.
package func gunzip(_ body: [UInt8]) async throws -> [UInt8] {
  try await withTemporaryFolder { folder in
    try Data(body).write(to: URL(fileURLWithPath: folder + "/object.gz"))
    let result = try runProgram("gzip", ["-dc", folder + "/object.gz"])
    try #require(result.status == 0, "\(result.errors)")
    return Array(result.output.utf8)
  }
}

/// A log, its clock, and the consumers of one place, started as often as a test likes.
package struct ShippingRig: Sendable {
  package let log: TickLog
  package let path: String
  package let folder: String
  package let clock: TestClock
  package let logs: RecordedLogs

  /// - Parameter patience: how long a commit waits for one of ticks; as usual if nil.
  package static func with(
    clock: TestClock = TestClock(), patience: Duration? = nil,
    _ body: (ShippingRig) async throws -> Void
  ) async throws {
    try await withTemporaryFolder { folder in
      let logs = RecordedLogs()
      var options = TickLog.Options()
      options.linger = .zero
      if let patience { options.limits.patience = patience }
      options.wallClock = { clock.wall }
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: options, logger: logs.logger)
      let result: Result<Void, any Error>
      do {
        result = .success(
          try await body(ShippingRig(log: log, path: path, folder: folder, clock: clock, logs: logs)))
      } catch {
        result = .failure(error)
      }
      try await log.close()
      try result.get()
    }
  }

  package func shipping(
    to store: any ObjectStore, _ settings: ObjectSettings = .test(),
    address: S3Address = S3Address(endpoint: "http://s3", bucket: "bucket", prefix: "p"),
    openStore: @escaping @Sendable (_ address: String) throws -> (any ObjectStore)? = { _ in nil }
  ) -> Shipping {
    Shipping([ObjectDestination(.s3, settings, address, store: store, openStore: openStore)])
  }

  package func shipping(to table: some ItemTable, concurrency: Int = 4, days: Int = 1) -> Shipping {
    Shipping([
      ItemDestination(
        .dynamodb, ItemSettings(table: "t", concurrency: concurrency, retentionDays: days),
        TableAddress(region: "r", table: "t"), table: table)
    ])
  }

  /// Runs consumers until `control` ends them.
  @discardableResult
  package func run(
    _ shipping: Shipping, _ control: ShippingControl, acceptDestinations: Bool = false
  ) async throws -> ShippingProgress.Snapshot {
    let consumers = try await log.enable(
      shipping.consumers, acceptDestinations: acceptDestinations, logger: logs.logger)
    let consumer = try #require(consumers.first)
    let progress = ShippingProgress(consumer: consumer.name, next: consumer.next)
    try await shipping.run(
      consumer, log: log, control: control, progress: progress, clock: clock.shipping, logger: logs.logger)
    return progress.snapshot
  }

  /// Ships all there is.
  @discardableResult
  package func drain(_ shipping: Shipping, acceptDestinations: Bool = false) async throws
    -> ShippingProgress.Snapshot
  {
    let control = ShippingControl()
    control.startDraining()
    return try await run(shipping, control, acceptDestinations: acceptDestinations)
  }

  /// Runs consumers beside `body`, then cancels them if they still run.
  ///
  /// What was not committed by then is lost to them, as if the process had been killed.
  package func beside(
    _ shipping: Shipping, control: ShippingControl = ShippingControl(), acceptDestinations: Bool = false,
    _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        do {
          try await run(shipping, control, acceptDestinations: acceptDestinations)
        } catch is CancellationError {}
      }
      do {
        try await body()
      } catch {
        group.cancelAll()
        while let result = await group.nextResult() { _ = result }
        throw error
      }
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  package func withReader(_ body: (LogReader) async throws -> Void) async throws {
    let reader = try await log.makeReader()
    let result: Result<Void, any Error>
    do {
      result = .success(try await body(reader))
    } catch {
      result = .failure(error)
    }
    try await reader.close()
    try result.get()
  }

  package func reading<T: Sendable>(_ body: @Sendable (LogReader) async throws -> T) async throws -> T {
    let reader = try await log.makeReader()
    let result: Result<T, any Error>
    do {
      result = .success(try await body(reader))
    } catch {
      result = .failure(error)
    }
    try await reader.close()
    return try result.get()
  }

  package func next(_ name: ConsumerName) async throws -> Offset? {
    try await reading { try await $0.consumers().first { $0.name == name }?.next }
  }

  /// Rows of a query as texts, its columns joined by `|`.
  package func query(_ sql: String) async throws -> [String] {
    try await log.write { transaction in
      let statement = try transaction.connection.prepare(sql)
      var rows: [String] = []
      while try statement.step() { rows.append(statement.text(0)) }
      return rows
    }
  }

  package func damage(_ offsets: [Int64]) async throws {
    try await log.write { transaction in
      for offset in offsets {
        try transaction.connection.run(
          "UPDATE ticks SET checksum = checksum + 1 WHERE offset = ?", .int(offset))
      }
    }
  }

  package var deadLetters: [String] {
    get async throws {
      try await query(
        "SELECT coalesce(offset, '-') || ' ' || consumer || ' ' || cause FROM dead_letters ORDER BY id")
    }
  }
}

extension ObjectSettings {
  package static func test(
    rows: Int = 10, compression: Compression = .none, concurrency: Int = 4, maximumBytes: Int = 64 << 20
  ) -> ObjectSettings {
    ObjectSettings(
      folder: "p", fileName: "f", compression: compression, maximumRows: rows, maximumWait: .seconds(30),
      concurrency: concurrency, maximumBytes: maximumBytes)
  }
}

/// Waits to be cancelled.
package func untilCancelled() async throws {
  try await Latch<Void>().wait()
}

/// Records an issue if `condition` does not come to hold.
package func expectEventually(
  sourceLocation: SourceLocation = #_sourceLocation, _ condition: @Sendable () async throws -> Bool
) async throws {
  let holds = try await eventually(condition)
  #expect(holds, sourceLocation: sourceLocation)
}

extension LogReader {
  /// The first column of a query's first row.
  package func text(_ sql: String) throws -> String? { try read { try $0.text(sql) } }
}

extension Shipping {
  /// The consumers of a folder, those that are given settings.
  package static func toFolder(
    _ folder: String, objects: ObjectSettings?, items: ItemSettings?, clock: ShippingClock
  ) throws -> Shipping {
    var destinations: [any Destination] = []
    if let objects { destinations.append(try ObjectDestination.inFolder(folder, objects)) }
    if let items { destinations.append(try ItemDestination.inFolder(folder, items, clock: clock)) }
    return Shipping(destinations)
  }
}
