import AWS
import Base

/// Records in a Kinesis stream.
struct KinesisStream: RecordPlace {
  let client: KinesisClient
  let name: String

  func recordLimit() async throws -> Int {
    try await client.describeStream(name).maximumRecordBytes ?? RecordLimits.usualRecordBytes
  }

  func put(_ records: ArraySlice<StreamRecord>) async throws -> [RefusedRecord] {
    try await client.putRecords(
      body: Self.request(records.map { ($0.key, $0.data) }, to: name), count: records.count, stream: name)
  }

  func look(writes: Bool) async throws -> [DoctorFinding] {
    try await KinesisStreamLook(client: client, name: name).findings(writes: writes)
  }

  /// The body of PutRecords.
  ///
  /// Reference: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
  static func request(_ records: [(key: [UInt8], data: [UInt8])], to stream: String) -> [UInt8] {
    var body: [UInt8] = []
    body.reserveCapacity(
      64 + stream.utf8.count + records.reduce(0) { $0 + Base64.length(of: $1.data.count) + $1.key.count + 32 }
    )
    body.append(contentsOf: "{\"StreamName\":\(PythonJSON.string(stream)),\"Records\":[".utf8)
    for (key, data) in records {
      body.append(contentsOf: "{\"Data\":\"".utf8)
      data.withUnsafeBufferPointer { Base64.append($0, to: &body) }
      body.append(contentsOf: "\",\"PartitionKey\":".utf8)
      key.withUnsafeBufferPointer { PythonJSON.appendString($0, to: &body) }
      body.append(contentsOf: "},".utf8)
    }
    // In place of the last one's comma.
    body[body.count - 1] = UInt8(ascii: "]")
    body.append(UInt8(ascii: "}"))
    return body
  }
}
