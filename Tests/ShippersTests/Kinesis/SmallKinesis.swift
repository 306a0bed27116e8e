import AWS
import Foundation
import ShippingFixtures
import Synchronization
import Testing

/// A small Kinesis: one stream, and what was put into it.
final class SmallKinesis: Sendable {
  struct Record: Equatable {
    let key: String
    let data: String
  }

  private struct State {
    var records: [Record] = []
    var status = "ACTIVE"
    var limit: Int?
    var refusals: [Int: (code: String, message: String)] = [:]
  }

  private let state = Mutex(State())

  var records: [Record] { state.withLock { $0.records } }
  /// The offsets, in the order in which they were put.
  var offsets: [Int] {
    get throws {
      try records.map { record in
        let row = try #require(
          try JSONSerialization.jsonObject(with: Data(record.data.utf8)) as? [String: Any])
        return try #require(row["offset"] as? Int)
      }
    }
  }

  func clear() { state.withLock { $0.records = [] } }
  func setStatus(_ status: String) { state.withLock { $0.status = status } }
  func setLimit(inKiB limit: Int) { state.withLock { $0.limit = limit } }
  /// In the next request, by their places.
  func refuse(_ refusals: [Int: (code: String, message: String)]) {
    state.withLock { $0.refusals = refusals }
  }

  func answer(_ request: HTTPRequest) throws -> HTTPResponse {
    let body = try #require(try JSONSerialization.jsonObject(with: Data(request.body)) as? [String: Any])
    #expect(body["StreamName"] as? String == "stream")
    switch request.headers["X-Amz-Target"] {
    case "Kinesis_20131202.PutRecords":
      return try put(try #require(body["Records"] as? [[String: String]]))
    case "Kinesis_20131202.DescribeStreamSummary":
      let (status, limit) = state.withLock { ($0.status, $0.limit) }
      let size = limit.map { ",\"MaxRecordSizeInKiB\":\($0)" } ?? ""
      return .answer(
        200, [:],
        "{\"StreamDescriptionSummary\":{\"StreamName\":\"stream\",\"StreamStatus\":\"\(status)\",\"OpenShardCount\":2\(size)}}"
      )
    default: return .dynamoError(400, "UnknownOperationException")
    }
  }

  private func put(_ records: [[String: String]]) throws -> HTTPResponse {
    #expect((1...500).contains(records.count))
    let put = try records.map { record in
      #expect(Set(record.keys) == ["Data", "PartitionKey"])
      let text = try #require(record["Data"])
      let data = try #require(Data(base64Encoded: text))
      let key = try #require(record["PartitionKey"])
      return Record(key: key, data: String(decoding: data, as: UTF8.self))
    }
    let results = state.withLock { state in
      defer { state.refusals = [:] }
      return put.indices.map { place -> [String: String] in
        if let refusal = state.refusals[place] {
          return ["ErrorCode": refusal.code, "ErrorMessage": refusal.message]
        }
        state.records.append(put[place])
        return ["SequenceNumber": "\(state.records.count)", "ShardId": "shardId-000000000000"]
      }
    }
    let failed = results.count { $0["ErrorCode"] != nil }
    let answer = try JSONSerialization.data(
      withJSONObject: ["FailedRecordCount": failed, "Records": results, "EncryptionType": "NONE"])
    return .answer(200, [:], String(decoding: answer, as: UTF8.self))
  }
}
