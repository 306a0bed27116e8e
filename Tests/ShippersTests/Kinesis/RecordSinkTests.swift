import AWS
import Base
import ShippingFixtures
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct RecordSinkTests {
  private static let throttled = AWSError(
    "ProvisionedThroughputExceededException", .throttled, operation: "PutRecords",
    message: "Rate exceeded for shard")
  private static let failed = AWSError("InternalFailure", .transient, operation: "PutRecords")

  @Test func `each tick becomes a record, five hundred in a request, one request at a time`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(1_203))
      let place = ScriptedPlace()
      place.hook { _, _ in
        await Task.yield()
        return [:]
      }
      let end = try await rig.drain(rig.shipping(to: place))
      #expect(end.next == offset(1_204))
      #expect(place.taken == Array(1...1_203))
      #expect(place.requests.map(\.count) == [500, 500, 203])
      #expect(place.mostInFlight == 1)
      let logID = try await rig.reading { try await $0.logID() }
      let second = String(decoding: place.records[1].data, as: UTF8.self)
      #expect(
        second.hasPrefix(
          "{\"log_id\":\"\(logID)\",\"offset\":2,\"event_type\":\"test\",\"event_time\":1795238000125,"))
      #expect(second.hasSuffix(",\"stream_type\":\"btcusdt@test\",\"data\":{\"n\":2}}"))
      #expect(place.records.allSatisfy { $0.key == Array("btcusdt@test".utf8) })
      #expect(place.asked == 0)
    }
  }

  @Test func `the refused records alone are put again, before those that follow`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(600))
      let place = ScriptedPlace()
      place.hook { offsets, number in
        guard number < 3 else { return [:] }
        let refused = offsets.indices.filter { offsets[$0].isMultiple(of: 100) }
        return Dictionary(uniqueKeysWithValues: refused.map { ($0, Self.failed) })
      }
      try await rig.drain(rig.shipping(to: place))
      #expect(Set(place.taken) == Set(1...600) && place.taken.count == 600)
      #expect(place.requests.map(\.count) == [500, 5, 5, 100])
      #expect(place.requests[1] == [100, 200, 300, 400, 500])
      #expect(try await rig.deadLetters == [])
      // Where all were refused it has waited.
      #expect(rig.clock.sleeps.count == 1)
    }
  }

  @Test func `nothing is committed before all of a page is taken`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(700))
      let place = ScriptedPlace()
      let isOver = Latch<Void>()
      place.hook { offsets, _ in
        guard let last = offsets.firstIndex(of: 10), isOver.value == nil else { return [:] }
        return [last: Self.failed]
      }
      try await rig.beside(rig.shipping(to: place)) {
        try await expectEventually { place.requests.count > 5 }
        #expect(place.taken.count == 499)
        #expect(try await rig.next(.kinesis) == .first)
        isOver.set(())
        try await expectEventually { try await rig.next(.kinesis) == offset(701) }
      }
      #expect(place.taken[499] == 10)
    }
  }

  @Test func `a throttled stream gets smaller requests, and larger ones again when it is not`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(500))
      let place = ScriptedPlace()
      place.hook { offsets, number in
        switch number {
        // As a shard that has taken what it can for now.
        case 1: Dictionary(uniqueKeysWithValues: offsets.indices.dropFirst(100).map { ($0, Self.throttled) })
        case 2: throw Self.throttled
        case 3: Dictionary(uniqueKeysWithValues: offsets.indices.map { ($0, Self.throttled) })
        default: [:]
        }
      }
      try await rig.drain(rig.shipping(to: place))
      #expect(place.requests.map(\.count) == [500, 250, 125, 62, 72, 82, 92, 92])
      #expect(place.taken == Array(1...500))
      #expect(rig.clock.sleeps.count == 2)
      let said = rig.logs.entries.filter { $0.level == .warning }
      #expect(said.count == 1 && said.first?.metadata["doing"] == "put some of the records")
    }
  }

  @Test(arguments: [
    AWSError.answer(400, .credentialsRefused, "AccessDeniedException"),
    .answer(400, .missing, "ResourceNotFoundException"), .answer(400, .missing, "KMSDisabledException"),
    .answer(400, .permanent, "InvalidArgumentException"), .answer(500, .transient),
    AWSError(.transport, .transient, operation: "PutRecords", message: "connection lost"),
  ])
  func `other trouble is retried, said as what it is, and makes no dead letter`(error: AWSError) async throws
  {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(50))
      let place = ScriptedPlace()
      place.hook { _, number in
        if number <= 20 { throw error }
        return [:]
      }
      #expect(try await rig.drain(rig.shipping(to: place)).deadLetters == 0)
      #expect(place.taken == Array(1...50))
      let level = error.needsOperator ? "error" : "warning"
      #expect(
        rig.logs.entries.contains { $0.level.rawValue == level && $0.metadata["doing"] == "put the records" })
    }
  }

  @Test func `after a crash at most a thousand ticks come again, and none is missing`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3_000))
      let place = ScriptedPlace()
      let crashed = Latch<Void>()
      place.hook { _, number in
        guard number == 4 else { return [:] }
        crashed.set(())
        try await untilCancelled()
        return [:]
      }
      try await rig.beside(rig.shipping(to: place)) { try await crashed.wait() }
      let committed = try #require(try await rig.next(.kinesis)).rawValue
      #expect((1_001...1_501).contains(committed))
      place.hook { _, _ in [:] }
      try await rig.drain(rig.shipping(to: place))
      #expect(Set(place.taken) == Set(1...3_000))
      #expect(place.taken.count == 3_000 + 1_500 - Int(committed) + 1)
    }
  }

  @Test func `what can be no record is a dead letter, and the others go on`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3))
      var nameless = TickBatch()
      nameless.append(receivedAt: someTime, eventTime: nil, stream: "", payload: "{\"n\":4}")
      nameless.append(receivedAt: someTime, eventTime: nil, stream: "a@b", payload: "[5]")
      try await rig.log.append(nameless)
      try await rig.log.append(ticks(2, from: 6))
      try await rig.damage([2])
      let place = ScriptedPlace()
      let end = try await rig.drain(rig.shipping(to: place))
      #expect(end.next == offset(8) && end.deadLetters == 3)
      #expect(place.taken == [1, 3, 6, 7])
      let letters = try await rig.deadLetters
      #expect(letters.count == 3)
      #expect(letters[0].hasPrefix("2 kinesis ") && letters[0].contains("checksum"))
      #expect(letters[1] == "4 kinesis its stream has no name, and a partition key must not be empty")
      #expect(letters[2].hasPrefix("5 kinesis invalid JSON"))
    }
  }

  @Test func `a record above the stream's limit is a dead letter, one above the usual limit alone is not`()
    async throws
  {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(1))
      try await rig.log.append(ticks(1, from: 2, padding: 1 << 20))
      try await rig.log.append(ticks(1, from: 3, padding: 3 << 20))
      try await rig.log.append(ticks(1, from: 4))
      let place = ScriptedPlace()
      place.setLimit(2 << 20)
      try await rig.drain(rig.shipping(to: place))
      #expect(place.taken == [1, 2, 4])
      #expect(place.asked == 2)
      let letters = try await rig.deadLetters
      #expect(letters.count == 1)
      #expect(letters.first?.hasPrefix("3 kinesis the record has 3,145,9") == true)
      #expect(
        letters.first?.hasSuffix(
          " bytes with its key, and 2,097,152 are the most that its Kinesis stream takes") == true)
    }
  }
}
