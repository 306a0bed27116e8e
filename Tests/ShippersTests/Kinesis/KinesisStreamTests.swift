import AWS
import Base
import Foundation
import ShippingFixtures
import Testing

@testable import Shippers
@testable import WAL

@Suite struct KinesisStreamTests {
  private let kinesis = SmallKinesis()

  private func stream() throws -> KinesisStream {
    let kinesis = kinesis
    let client = try ScriptedTransport { request, _ in try kinesis.answer(request) }.client()
    return KinesisStream(client: KinesisClient(client), name: "stream")
  }

  private func records(_ count: Int) throws -> [StreamRecord] {
    let batch = ticks(count)
    return try batch.entries.enumerated().map { index, tick in
      try StreamRecord(batch, tick, at: offset(Int64(index + 1)), of: LogID(rawValue: "0123456789abcdef"))
    }
  }

  @Test func `records arrive as they are`() async throws {
    var batch = TickBatch()
    batch.append(
      receivedAt: someTime, eventTime: nil, stream: "币\"\\\n@trade", payload: "{\"t\": 1, \"é\":\"😀\"}")
    let record = try StreamRecord(
      batch, batch.entries[0], at: offset(7), of: LogID(rawValue: "0123456789abcdef"))
    #expect(try await stream().put([record]) == [])
    let put = try #require(kinesis.records.first)
    #expect(put.key == "币\"\\\n@trade")
    #expect(
      put.data.hasPrefix(#"{"log_id":"0123456789abcdef","offset":7,"event_type":"trade","event_time":"#))
    #expect(put.data.hasSuffix(#","data":{"t":1,"\u00e9":"\ud83d\ude00"}}"#))
    var row: [UInt8] = []
    try batch.bytes.withUnsafeBufferPointer { bytes in
      var lines = TickLines(.row)
      try lines.append(batch.entries[0], in: bytes)
      row = lines.bytes
    }
    // The row of an object, behind log and offset.
    #expect(
      "{" + put.data.split(separator: ",", maxSplits: 2)[2] + "\n" == String(decoding: row, as: UTF8.self))
  }

  @Test func `those that are refused are named with their errors`() async throws {
    kinesis.refuse([
      1: ("ProvisionedThroughputExceededException", "Rate exceeded"),
      3: ("InternalFailure", "Internal \"x\""),
      4: ("KMSThrottlingException", "slow"), 5: ("SomethingNew", ""),
    ])
    let refused = try await stream().put(try records(7)[...])
    #expect(refused.map(\.place) == [1, 3, 4, 5])
    #expect(refused.map(\.error.kind) == [.throttled, .transient, .throttled, .transient])
    #expect(
      "\(refused[0].error)"
        == "PutRecords on Kinesis stream stream in eu-west-1: ProvisionedThroughputExceededException: Rate exceeded"
    )
    #expect(refused[1].error.message == "Internal \"x\"")
    #expect(try kinesis.offsets == [1, 3, 7])
  }

  @Test func `the limit of a record is the stream's own`() async throws {
    let stream = try stream()
    #expect(try await stream.recordLimit() == 1 << 20)
    kinesis.setLimit(inKiB: 2_048)
    #expect(try await stream.recordLimit() == 2 << 20)
  }

  @Test func `doctor puts a record only if asked, and finds a stream that is not ready`() async throws {
    let stream = try stream()
    #expect(try await stream.look(writes: false).map(\.verdict) == [.ok, .skipped])
    #expect(kinesis.records == [])
    let found = try await stream.look(writes: true)
    #expect(found.map(\.name) == ["kinesis", "kinesis-write"])
    #expect(found.map(\.verdict) == [.ok, .ok])
    #expect(
      found[0].summary == "stream is ACTIVE with 2 shards, for records up to 1 MiB")
    #expect(
      kinesis.records == [
        .init(key: "tickwal doctor", data: "{\"log_id\":\"0000000000000000\",\"offset\":0}")
      ])
    kinesis.refuse([0: ("InternalFailure", "m")])
    #expect(try await stream.look(writes: true).map(\.verdict) == [.ok, .failed])
    kinesis.setStatus("CREATING")
    #expect(try await stream.look(writes: true).map(\.verdict) == [.failed])
  }

  @Test func `the place is stored and shown`() throws {
    let address = KinesisAddress(region: "r", stream: "s")
    #expect(address.json == #"{"region":"r","stream":"s"}"#)
    #expect(KinesisSettings.text(ofAddress: address.json) == "Kinesis stream s in r")
    #expect(KinesisSettings.text(ofAddress: TableAddress(region: "r", table: "t").json) == nil)
    #expect(DynamoSettings.text(ofAddress: address.json) == nil)
  }

  @Test(arguments: [
    (
      "ResourceNotFoundException",
      "make the Kinesis stream stream in eu-west-1, or correct KINESIS_STREAM or REGION"
    ),
    (
      "AccessDeniedException",
      "give the keys' owner the right kinesis:PutRecords on arn:aws:kinesis:eu-west-1:*:stream/stream (deploy/iam/kinesis.json)"
    ),
    (
      "KMSDisabledException",
      "enable the key of the Kinesis stream in KMS, and give the keys' owner kms:GenerateDataKey on it"
    ),
  ])
  func `what the operator must do is said`(code: String, hint: String) async throws {
    let client = try ScriptedTransport { _, _ in .dynamoError(400, code) }.client()
    let stream = KinesisStream(client: KinesisClient(client), name: "stream")
    let error = await #expect(throws: AWSError.self) { _ = try await stream.put(try records(1)[...]) }
    #expect(error?.hint == hint && error?.needsOperator == true)
  }

  @Test(arguments: [
    "{}", "{\"FailedRecordCount\":0,\"Records\":[]}", "{\"Records\":[{\"SequenceNumber\":\"1\"}]}",
    "{\"Records\":[{\"SequenceNumber\":\"1\"},{\"SequenceNumber\":\"2\"},{\"SequenceNumber\":\"3\"}]}",
    "{\"Records\":[{\"SequenceNumber\":\"1\"},2]}", "{\"Records\":{}}", "{",
  ])
  func `an answer that does not tell of each record confirms none`(body: String) async throws {
    let client = try ScriptedTransport { _, _ in .answer(200, [:], body) }.client()
    let stream = KinesisStream(client: KinesisClient(client), name: "stream")
    let error = await #expect(throws: AWSError.self) { _ = try await stream.put(try records(2)[...]) }
    #expect(error?.code == .unexpectedAnswer && error?.kind == .transient)
  }

  @Test func `a record without a sequence number is not there`() async throws {
    let client = try ScriptedTransport { _, _ in
      .answer(
        200, [:], #"{"FailedRecordCount":0,"Records":[{"ShardId":"s","SequenceNumber":"1"},{"ShardId":"s"}]}"#
      )
    }.client()
    let refused = try await KinesisStream(client: KinesisClient(client), name: "stream").put(
      try records(2)[...])
    #expect(refused.map(\.place) == [1])
  }
}
