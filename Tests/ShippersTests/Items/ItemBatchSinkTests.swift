import AWS
import Base
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// Shipping by BatchWriteItem, over the service's answers.
@Suite struct ItemBatchSinkTests {
  // MARK: Requests

  @Test(arguments: [true, false])
  func `a backlog goes out in full requests`(submits: Bool) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(1_010))
      let place = try BatchedDynamo(submits: submits)
      let end = try await rig.drain(rig.shipping(to: place.table))
      #expect(end.next == offset(1_011))
      #expect(place.numbers == Set(1...1_010))
      let sizes = try place.sent().map(\.count)
      #expect(sizes.filter { $0 == 25 }.count == 40 && sizes.count == 41)
      #expect(try place.sent("UpdateItem") == [])
    }
  }

  @Test func `a lone tick waits for no other`() async throws {
    try await ShippingRig.with { rig in
      let place = try BatchedDynamo()
      try await rig.beside(rig.shipping(to: place.table)) {
        for number in 1...3 {
          try await rig.log.append(ticks(1, from: number))
          try await expectEventually { try await rig.next(.dynamodb) == offset(Int64(number + 1)) }
        }
      }
      #expect(try place.sent() == [[1], [2], [3]])
    }
  }

  @Test(.timeLimit(.minutes(5)))
  func `a thousand items at most are on their way, however many requests may be`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3_000))
      let flying = Watch((now: 0, most: 0, started: 0))
      let place = try BatchedDynamo { _, items in
        flying.update { flying in
          flying.now += items.count
          flying.most = max(flying.most, flying.now)
          flying.started += items.count
        }
        _ = try await flying.wait { $0.now >= 1_000 || $0.started == 3_000 }
        // More would begin by now, if more could.
        for _ in 0..<300 { await Task.yield() }
        flying.update { $0.now -= items.count }
        return nil
      }
      try await rig.drain(rig.shipping(to: place.table, concurrency: 1_000))
      #expect(flying.value.most == 1_000)
      #expect(place.numbers == Set(1...3_000))
    }
  }

  @Test(arguments: [3, 30], [true, false])
  func `of two ticks with one key the later one remains, after any retry`(keys: Int, submits: Bool)
    async throws
  {
    try await ShippingRig.with { rig in
      var batch = TickBatch()
      for number in 1...600 {
        batch.append(
          receivedAt: someTime, eventTime: 1, stream: "btcusdt@trade",
          payload: "{\"n\":\(number),\"e\":\"trade\",\"E\":1,\"s\":\"A\",\"t\":\(number % keys)}")
      }
      try await rig.log.append(batch)
      let flying = Mutex([String: Int]())
      let calls = Counter()
      let place = try BatchedDynamo(submits: submits) { operation, items in
        #expect(operation == "BatchWriteItem")
        flying.withLock { flying in
          for item in items {
            flying[item.key, default: 0] += 1
            #expect(flying[item.key] == 1, "two of one key are on their way")
          }
        }
        defer { flying.withLock { flying in for item in items { flying[item.key] = 0 } } }
        for _ in 0..<20 { await Task.yield() }
        switch calls.next() % 4 {
        case 0: return .dynamoError(500, "InternalServerError")
        case 1 where items.count > 1: return BatchedDynamo.unprocessed(items)
        default: return nil
        }
      }
      let end = try await rig.drain(rig.shipping(to: place.table, concurrency: 16))
      #expect(end.next == offset(601))
      #expect(place.numbers == Set(Int64(601 - keys)...600))
    }
  }

  // MARK: Trouble

  @Test(arguments: [true, false])
  func `what the table has not got to is sent again and nothing else is`(submits: Bool) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(250))
      let left = Mutex(Set<Int64>())
      let place = try BatchedDynamo(submits: submits) { _, items in
        // Each third at its first time.
        let rest = items.filter { item in
          guard let number = ModelTick.number(of: item), number % 3 == 0 else { return false }
          return left.withLock { $0.insert(number).inserted }
        }
        return rest.isEmpty ? nil : BatchedDynamo.unprocessed(rest)
      }
      // The stand-in writes nothing of a request that it leaves something of: what it took is noted here.
      let end = try await rig.drain(rig.shipping(to: place.table))
      #expect(end.next == offset(251) && end.deadLetters == 0)
      let sent = try place.sent().flatMap { $0 }
      #expect(Set(sent) == Set(1...250))
      #expect(sent.count == 250 + 83)
      #expect(place.numbers == Set((1...250).filter { $0 % 3 == 0 }))
      let said = rig.logs.entries.first { $0.metadata["doing"] == "write the items" }
      let error = said?.metadata["error"].map { "\($0)" }
      #expect(error?.contains("BatchWriteItem on table t in eu-west-1: UnprocessedItems") == true)
      #expect(error?.contains("of 25 items came too fast for the table") == true)
    }
  }

  @Test func `as long as the table gets to nothing, all is tried again and nothing is passed`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(100))
      let isBusy = Mutex(true)
      let place = try BatchedDynamo { _, items in
        isBusy.withLock { $0 } ? BatchedDynamo.unprocessed(items) : nil
      }
      try await rig.beside(rig.shipping(to: place.table)) {
        try await expectEventually { try place.sent().count > 30 }
        #expect(try await rig.next(.dynamodb) == .first)
        #expect(place.numbers.isEmpty)
        isBusy.withLock { $0 = false }
        try await expectEventually { try await rig.next(.dynamodb) == offset(101) }
      }
      #expect(place.numbers == Set(1...100))
      #expect(try await rig.deadLetters == [])
    }
  }

  /// Its answer names what was never asked for: whatever it means, all is written again.
  @Test func `an answer that names other items counts for nothing`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let isFirst = Mutex(true)
      let place = try BatchedDynamo { _, items in
        guard
          isFirst.withLock({ first in
            defer { first = false }
            return first
          })
        else { return nil }
        return .answer(
          200, [:], #"{"UnprocessedItems":{"t":[{"PutRequest":{"Item":{"stream_type":{"S":"x"}}}}]}}"#)
      }
      try await rig.drain(rig.shipping(to: place.table))
      #expect(try place.sent().map(\.count) == [25, 25])
      #expect(place.numbers == Set(1...25))
    }
  }

  @Test(arguments: ["UnprocessedItems", "ThrottlingException", "ProvisionedThroughputExceededException"])
  func `what comes too fast makes requests fewer`(code: String) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let calls = Counter()
      let place = try BatchedDynamo { _, items in
        guard calls.next() == 1 else { return nil }
        return code == "UnprocessedItems"
          ? BatchedDynamo.unprocessed(items.prefix(1)) : .dynamoError(400, code)
      }
      let pacing = ItemPacing(concurrency: 8)
      try await rig.withReader { reader in
        let single = ItemSink(
          consumer: .dynamodb, retentionDays: 1, table: place.table,
          tail: Tail(log: rig.log, control: ShippingControl(), clock: rig.clock.shipping),
          attempts: Attempts(clock: rig.clock.shipping, trouble: "t", over: "o", logger: rig.logs.logger),
          pacing: pacing)
        let sink = ItemBatchSink(single: single)
        let batches = try await sink.makeSource(reader: reader, next: .first).next()
        #expect(batches.map(\.range) == [offsets(1...25)])
        _ = try await sink.deliver(batches[0].delivery)
      }
      #expect(pacing.limit == 4)
    }
  }

  @Test func `a request that was carried out by half before it was given up is sent again`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(200))
      let calls = Counter()
      let written = Mutex(Set<Int64>())
      let place = try BatchedDynamo { _, items in
        guard calls.next() % 2 == 1 else { return nil }
        written.withLock { $0.formUnion(items.prefix(items.count / 2).compactMap(ModelTick.number)) }
        throw TransportError(code: .timedOut, origin: "http://aws.test")
      }
      try await rig.drain(rig.shipping(to: place.table))
      #expect(place.numbers == Set(1...200))
      #expect(!written.withLock { $0.isEmpty })
    }
  }

  @Test func `a right that is missing is named`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(50))
      let isDenied = Mutex(true)
      let place = try BatchedDynamo { operation, _ in
        operation == "BatchWriteItem" && isDenied.withLock { $0 }
          ? .dynamoError(400, "AccessDeniedException") : nil
      }
      try await rig.beside(rig.shipping(to: place.table)) {
        try await expectEventually { !rig.logs.messages(.error).isEmpty }
        let hint = rig.logs.entries.compactMap { $0.metadata["hint"] }.first.map { "\($0)" }
        #expect(
          hint?.contains("the right dynamodb:BatchWriteItem on arn:aws:dynamodb:eu-west-1:*:table/t ") == true
        )
        #expect(try await rig.next(.dynamodb) == .first)
        isDenied.withLock { $0 = false }
        try await expectEventually { try await rig.next(.dynamodb) == offset(51) }
      }
      #expect(try place.sent("UpdateItem") == [])
      #expect(try await rig.deadLetters == [])
    }
  }

  // MARK: Refusals

  @Test(arguments: [true, false])
  func `an item that the table refuses is told from the others alone`(submits: Bool) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(100))
      let place = try BatchedDynamo(submits: submits) { _, items in
        items.contains { ModelTick.number(of: $0) == 33 }
          ? .dynamoError(400, "ValidationException", "Number overflow") : nil
      }
      let end = try await rig.drain(rig.shipping(to: place.table))
      #expect(end.next == offset(101) && end.deadLetters == 1)
      #expect(place.numbers == Set(1...100).subtracting([33]))
      #expect(try place.sent("UpdateItem") == (26...50).map { [$0] })
      #expect(try await rig.query("SELECT offset || ' ' || attempts FROM dead_letters") == ["33 1"])
      #expect(
        try await rig.query(
          "SELECT count(*) FROM dead_letters WHERE cause LIKE 'UpdateItem %Number overflow%'")
          == ["1"])
    }
  }

  @Test func `requests that are refused as a whole hold nothing and give up nothing`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(500))
      let place = try BatchedDynamo { operation, _ in
        operation == "BatchWriteItem" ? .dynamoError(400, "ValidationException", "Something new") : nil
      }
      let end = try await rig.drain(rig.shipping(to: place.table))
      #expect(end.next == offset(501) && end.deadLetters == 0)
      #expect(place.numbers == Set(1...500))
      #expect(rig.logs.messages(.error).isEmpty)
    }
  }

  @Test func `that requests are refused as a whole does not count against an item that is refused alone`()
    async throws
  {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(300))
      let refused = Watch((batches: 0, item: false))
      let place = try BatchedDynamo { operation, items in
        if operation == "BatchWriteItem" {
          refused.update { $0.batches += 1 }
        } else if operation != "UpdateItem" {
          return nil
        } else if items.contains(where: { ModelTick.number(of: $0) == 1 }) {
          _ = try await refused.wait { $0.batches == 12 }
          refused.update { $0.item = true }
        } else {
          // None is accepted before.
          _ = try await refused.wait { $0.item }
          return nil
        }
        return .dynamoError(400, "ValidationException", "Something new")
      }
      try await rig.beside(rig.shipping(to: place.table, concurrency: 12)) {
        try await expectEventually { try await rig.next(.dynamodb) == offset(301) }
      }
      #expect(try await rig.query("SELECT offset FROM dead_letters") == ["1"])
      #expect(rig.logs.messages(.error).isEmpty)
    }
  }

  @Test func `a table that refuses every item alone, too, holds`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(100))
      let isWrong = Mutex(true)
      let place = try BatchedDynamo { operation, items in
        !items.isEmpty && isWrong.withLock { $0 }
          ? .dynamoError(400, "ValidationException", "The provided key element does not match the schema")
          : nil
      }
      try await rig.beside(rig.shipping(to: place.table)) {
        try await expectEventually { rig.clock.waiting.count == 4 }
        #expect(try await rig.next(.dynamodb) == .first)
        #expect(rig.logs.messages(.error).contains { $0.contains("the table refuses items") })
        isWrong.withLock { $0 = false }
        try await expectEventually {
          rig.clock.advance(by: .seconds(60))
          return try await rig.next(.dynamodb) == offset(101)
        }
      }
      #expect(try await rig.deadLetters == [])
      #expect(place.numbers == Set(1...100))
    }
  }

  @Test(arguments: [true, false])
  func `what has expired is not begun with what has not`(submits: Bool) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5, receivedAt: someTime - 2 * 86_400_000_000))
      try await rig.log.append(ticks(10, from: 6))
      let place = try BatchedDynamo(submits: submits)
      // So that there are keys to begin with.
      #expect(try await place.table.hasRightKeys())
      #expect(try await rig.drain(rig.shipping(to: place.table)).expired == 5)
      #expect(try place.sent() == [Array(6...15)])
    }
  }

  @Test func `ticks that have expired, can be no item or cannot be read are what they are elsewhere`()
    async throws
  {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5, receivedAt: someTime - 2 * 86_400_000_000))
      try await rig.log.append(ticks(10, from: 6))
      var odd = TickBatch()
      odd.append(receivedAt: someTime, eventTime: nil, stream: "", payload: "{}")
      try await rig.log.append(odd)
      try await rig.log.append(ticks(4, from: 17))
      try await rig.damage([9])
      let place = try BatchedDynamo()
      let end = try await rig.drain(rig.shipping(to: place.table))
      #expect(end.next == offset(21) && end.expired == 5)
      #expect(place.numbers == Set(6...20).subtracting([9, 16]))
      #expect(
        try await rig.deadLetters == [
          "9 dynamodb the row's checksum is wrong",
          "16 dynamodb stream_type is empty, and a key must not be",
        ])
      #expect(try await rig.query("SELECT attempts FROM dead_letters ORDER BY id") == ["0", "1"])
      #expect(try place.sent("UpdateItem") == [])
    }
  }
}
