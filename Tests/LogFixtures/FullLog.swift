import Foundation
import Inspect
import TestSupport
import WAL

package let s3 = ConsumerName(rawValue: "s3")
package let dynamo = ConsumerName(rawValue: "dynamodb")
/// The consumers that the tests' logs have; the log itself is told.
package let kinds = [
  ConsumerKind(name: s3, shipsInBatches: true),
  ConsumerKind(name: ConsumerName(rawValue: "local-s3"), shipsInBatches: true),
  ConsumerKind(name: dynamo, shipsInBatches: false),
]

/// A closed log with something in every table: 400 ticks, of which s3 has shipped 300 in batches of 50 and planned
/// two more, and dynamodb is past 350.
package func makeFullLog(_ path: String, ticks count: Int = 400, padding: Int = 0) async throws {
  let log = try await TickLog.open(path: path, options: .make(), logger: silent)
  for first in stride(from: 1, through: count, by: 100) {
    try await log.append(ticks(min(100, count - first + 1), from: first, padding: padding))
  }
  let consumers = [("s3", "{\"bucket\":\"b\"}"), ("dynamodb", "{\"table\":\"t\"}")].map {
    ConsumerRequest(name: ConsumerName(rawValue: $0.0), destination: $0.1)
  }
  _ = try await log.enable(consumers, acceptDestinations: false, logger: silent)
  let logID = try await log.write { try $0.logID() }
  for number in 0..<8 {
    let range = offsets(Int64(number * 50 + 1)...Int64(number * 50 + 50))
    let plan = BatchPlan(
      consumer: ConsumerName(rawValue: "s3"), range: range, destination: consumers[0].destination,
      bucket: "b",
      key:
        "batch_jsonl/dt=2026-11-21/hour=05/miniticker-\(logID)-\(range.lowerBound)-\(range.upperBound).jsonl.gz",
      rows: 50, sha256: String(repeating: "0123456789abcdef", count: 4))
    try await log.write { transaction in
      try transaction.plan(plan)
      guard number < 6 else { return }
      try transaction.markShipped(plan)
      try transaction.commit(plan.consumer, next: range.upperBound.next)
    }
  }
  try await log.write { transaction in
    try transaction.commit(ConsumerName(rawValue: "dynamodb"), next: Offset(rawValue: 351))
    try transaction.add(
      DeadLetter(
        offset: Offset(rawValue: 7), consumer: ConsumerName(rawValue: "dynamodb"), cause: "refused",
        attempts: 1,
        payload: Array("{}".utf8)))
    try transaction.skip(offsets(20...21), of: ConsumerName(rawValue: "dynamodb"), why: "sought past")
    let gap = try transaction.openGap(startedAt: someTime, cause: .closed, streams: ["btcusdt@miniTicker"])
    try transaction.closeGap(gap, endedAt: someTime + 5)
    _ = try transaction.openGap(startedAt: someTime + 9, cause: .stale, streams: ["btcusdt@miniTicker"])
    _ = try transaction.addGap(
      startedAt: someTime + 11, endedAt: someTime + 12, cause: .sequence, streams: ["btcusdt@trade"],
      detail: "{\"first\":7,\"last\":9}")
    try transaction.setMeta("feed", "running")
    try transaction.setMetaList("streams", ["btcusdt@miniTicker"])
  }
  try await log.append(TickBatch(), rejected: [RejectedInput(payload: Array("x".utf8), cause: "no JSON")])
  try await log.close()
}

package func salvage(_ path: String, to output: String) async throws -> SalvageOutcome {
  try await LogSalvage(of: path, to: output, consumers: kinds).run()
}

package func bytes(of path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

package func write(_ bytes: [UInt8], to path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

/// Every row beside the ticks, as text.
package func records(of path: String) async throws -> [String] {
  let connection = try SQLiteConnection(path: path, access: .readOnly)
  var rows: [String] = []
  for table in TableCopy.all {
    let present = try connection.columns(of: table.table) + ["rowid"]
    let columns = table.columns.map { present.contains($0) ? "coalesce(\($0), 'NULL')" : "'NULL'" }
      .joined(separator: " || '|' || ")
    let statement = try connection.prepare(
      "SELECT '\(table.table) ' || \(columns) FROM \(table.table) ORDER BY \(table.order.joined(separator: ", "))"
    )
    while try statement.step() { rows.append(statement.text(0)) }
  }
  try connection.close()
  return rows
}
