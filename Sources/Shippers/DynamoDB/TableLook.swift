import AWS
import Base

/// The look that `doctor` takes at the table. Writes nothing.
struct TableLook: Sendable {
  let client: DynamoDBClient
  let name: String
  /// The way in which `run` writes is the one that is tried.
  let writeMode: ItemSettings.WriteMode

  func findings() async throws -> [DoctorFinding] {
    let keys = try await DoctorFinding.of("table") {
      let table = try await client.describeTable(name, retry: DoctorFinding.retry)
      return Self.keys(table).heard(table.answer.date)
    }
    guard keys.verdict != .failed else { return [keys] }
    let writing = try await DoctorFinding.of("table-write") {
      do {
        _ = try await client.updateItem(body: impossibleUpdate, table: name, retry: DoctorFinding.retry)
        return .warning("table-write", "\(name) wrote an item although its condition cannot hold")
      } catch let error as AWSError where error.code == "ConditionalCheckFailedException" {
        return .ok("table-write", "\(name) takes items")
      }
    }
    let batches = writeMode == .batch ? [try await batchWriting()] : []
    let ttl = try await DoctorFinding.of("ttl") {
      let ttl = try await client.describeTimeToLive(name, retry: DoctorFinding.retry)
      return Self.timeToLive(ttl, table: name, region: client.region)
    } otherwise: {
      .warning("ttl", "cannot be seen: \($0)", "the right dynamodb:DescribeTimeToLive is missing")
    }
    return [keys, writing] + batches + [ttl]
  }

  private func batchWriting() async throws -> DoctorFinding {
    try await DoctorFinding.of("table-write-batches") {
      let written = try await client.batchWriteItem(
        body: idleDelete, table: name, retry: DoctorFinding.retry)
      return written.unprocessed.isEmpty
        ? .ok("table-write-batches", "\(name) takes batches of items")
        : .warning("table-write-batches", "\(name) is too busy to say whether it takes batches of items")
    }
  }

  /// Needs the right to write batches, and changes nothing: no tick has this key.
  private var idleDelete: [UInt8] {
    Array(
      """
      {"RequestItems":{\(PythonJSON.string(name)):[{"DeleteRequest":\
      {"Key":{"stream_type":{"S":"tickwal doctor"},"iso_timestamp":{"S":"-"}}}}]}}
      """.utf8)
  }

  /// Needs the right to write, and writes nothing.
  private var impossibleUpdate: [UInt8] {
    Array(
      """
      {"TableName":\(PythonJSON.string(name)),\
      "Key":{"stream_type":{"S":"tickwal doctor"},"iso_timestamp":{"S":"-"}},\
      "UpdateExpression":"SET symbol = :s",\
      "ConditionExpression":"attribute_exists(stream_type) AND attribute_not_exists(stream_type)",\
      "ExpressionAttributeValues":{":s":{"S":"-"}}}
      """.utf8)
  }

  static func keys(_ table: TableDescription) -> DoctorFinding {
    let found = table.keys.map { "\($0.name) (\($0.type))" }.joined(separator: ", ")
    let isRight =
      table.keys.map(\.name) == ["stream_type", "iso_timestamp"] && table.keys.allSatisfy { $0.type == "S" }
    guard isRight else {
      return .failed(
        "table", "\(table.name) has the keys \(found)",
        "it must have the partition key stream_type (S) and the sort key iso_timestamp (S)")
    }
    guard table.status == "ACTIVE" || table.status == "UPDATING" else {
      return .failed("table", "\(table.name) is \(table.status)", "wait until it is ACTIVE")
    }
    return .ok("table", "\(table.name) is \(table.status) with the keys \(found)")
  }

  static func timeToLive(_ ttl: TimeToLive, table: String, region: String) -> DoctorFinding {
    if ttl.attribute == "ttl_days", ["ENABLED", "ENABLING"].contains(ttl.status) {
      return .ok("ttl", "\(ttl.status) on ttl_days")
    }
    let other = ttl.attribute.map { " on \($0)" } ?? ""
    return .failed(
      "ttl", "\(ttl.status)\(other), not enabled on ttl_days: items stay for ever",
      "aws dynamodb update-time-to-live --region \(region) --table-name \(table) "
        + "--time-to-live-specification Enabled=true,AttributeName=ttl_days")
  }
}
