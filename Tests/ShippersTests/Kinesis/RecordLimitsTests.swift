import Base
import ShippingFixtures
import Testing
import WAL

@testable import Shippers

@Suite struct RecordLimitsTests {
  private func record(_ number: Int64, stream: String = "a@b", padding: Int = 0) throws -> StreamRecord {
    var batch = TickBatch()
    batch.append(
      receivedAt: someTime, eventTime: nil, stream: stream,
      payload: "{\"p\":\"\(String(repeating: "x", count: padding))\"}")
    return try StreamRecord(
      batch, batch.entries[0], at: offset(number), of: LogID(rawValue: "0123456789abcdef"))
  }

  @Test func `a request has five hundred records at most, or as many as are wanted`() throws {
    let records = try (1...501).map { try record($0) }
    #expect(RecordLimits.portion(records[...], atMost: 1_000) == 500)
    #expect(RecordLimits.portion(records[...], atMost: 7) == 7)
    #expect(RecordLimits.portion(records[499...], atMost: 1_000) == 2)
  }

  @Test func `a request has five MiB at most, as it is sent, and a record that is larger goes alone`() throws
  {
    let records = try (1...20).map { try record($0, stream: "ü\"\n@x", padding: 1_000_000) }
    let count = RecordLimits.portion(records[...], atMost: 500)
    #expect(count == 3)
    func size(_ records: ArraySlice<StreamRecord>) -> Int {
      KinesisStream.request(records.map { ($0.key, $0.data) }, to: "s").count
    }
    #expect(size(records.prefix(3)) <= RecordLimits.requestBytes)
    #expect(size(records.prefix(4)) > RecordLimits.requestBytes)
    let large = try [record(1, padding: 8 << 20), record(2)]
    #expect(RecordLimits.portion(large[...], atMost: 500) == 1)
  }

  @Test func `what is too large for one request goes in several`() async throws {
    try await ShippingRig.with { rig in
      let place = ScriptedPlace()
      let attempts = Attempts(clock: rig.clock.shipping, trouble: "t", over: "o", logger: rig.logs.logger)
      try await RecordSending(to: place, attempts: attempts).put(
        (1...7).map { try record($0, padding: 1_000_000) })
      #expect(place.requests == [[1, 2, 3], [4, 5, 6], [7]])
    }
  }

  @Test func `the partition key is the stream's name, or its hash above 256 characters`() throws {
    let name = String(repeating: "x", count: 256)
    #expect(try record(1, stream: name).key == Array(name.utf8))
    #expect(try record(1, stream: name + "y").key == Array(SHA256.hash(Array((name + "y").utf8)).hex.utf8))
    // Characters are counted, not bytes.
    let chinese = String(repeating: "币", count: 256)
    #expect(try record(1, stream: chinese).key == Array(chinese.utf8))
    #expect(try record(1, stream: chinese + "x").key.count == 64)
    // Each of these may be counted as two.
    #expect(try record(1, stream: String(repeating: "😀", count: 129)).key.count == 64)
  }

  @Test
  func
    `a request shrinks by the share that is throttled, at most by half, and grows by a fiftieth of the most`()
  {
    var size = RequestSize(maximum: 500)
    #expect(size.value == 500)
    for (throttled, count, expected) in [
      (500, 500, 250), (1, 250, 249), (25, 249, 224), (224, 224, 112), (100, 112, 56), (1, 7, 48),
      (0, 48, 58),
      (3, 4, 29), (29, 29, 14), (14, 14, 7), (7, 7, 3), (1, 3, 2), (1, 2, 1), (1, 1, 1),
    ] {
      size.answered(throttled: throttled, of: count)
      #expect(size.value == expected, "\(throttled) of \(count)")
    }
    for _ in 0..<49 { size.answered(throttled: 0, of: 1) }
    #expect(size.value == 491)
    for _ in 0..<2 { size.answered(throttled: 0, of: 1) }
    #expect(size.value == 500)
  }
}
