import AWS
import Base

/// The look that `doctor` takes at a Kinesis stream.
struct KinesisStreamLook: Sendable {
  let client: KinesisClient
  let name: String

  /// The record that is put there if asked for. No tick has its offset.
  static let data = Array("{\"log_id\":\"0000000000000000\",\"offset\":0}".utf8)
  private static let key = Array("tickwal doctor".utf8)

  func findings(writes: Bool) async throws -> [DoctorFinding] {
    let state = try await DoctorFinding.of("kinesis") {
      let stream = try await client.describeStream(name, retry: DoctorFinding.retry)
      return Self.state(stream).heard(stream.answer.date)
    }
    guard state.verdict != .failed else { return [state] }
    guard writes else {
      return [state, .skipped("kinesis-write", "not tried: --write puts a record of offset 0 into \(name)")]
    }
    let writing = try await DoctorFinding.of("kinesis-write") {
      let refused = try await client.putRecords(
        body: KinesisStream.request([(Self.key, Self.data)], to: name), count: 1, stream: name,
        retry: DoctorFinding.retry)
      if let refused = refused.first { throw refused.error }
      return .ok("kinesis-write", "\(name) takes records; one of offset 0 is in it now")
    }
    return [state, writing]
  }

  static func state(_ stream: KinesisStreamDescription) -> DoctorFinding {
    guard stream.status == "ACTIVE" || stream.status == "UPDATING" else {
      return .failed("kinesis", "\(stream.name) is \(stream.status)", "wait until it is ACTIVE")
    }
    let limit = stream.maximumRecordBytes ?? RecordLimits.usualRecordBytes
    return .ok(
      "kinesis",
      "\(stream.name) is \(stream.status) with \(Figures.counted(stream.shards, "shard")), for records up to "
        + Figures.bytes(limit))
  }
}
