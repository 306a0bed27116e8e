import AWS
import Base
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct ItemSinkTests {
  private static let refusal = ItemRefusal(cause: "bad number", blame: .item)

  /// The numbers of the items that the table has.
  private func numbers(in table: ScriptedTable) -> Set<Int64> {
    Set(
      table.items.values.compactMap { item in
        item.attributes["data"].flatMap {
          Int64($0.dropFirst(2).drop { !$0.isNumber }.prefix { $0.isNumber })
        }
      })
  }

  /// A sort key ends with the hash of the payload, which tells the number.
  private func suffix(_ number: Int) -> String {
    "#\(SHA256.hash(Array("{\"n\":\(number)}".utf8)).hex.prefix(16))"
  }

  @Test func `each tick becomes an item`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(2_500))
      let table = ScriptedTable()
      let end = try await rig.drain(rig.shipping(to: table))
      #expect(end.next == offset(2_501))
      #expect(numbers(in: table) == Set(1...2_500))
      #expect(table.writes == 2_500)
    }
  }

  @Test(.timeLimit(.minutes(5))) func `no more requests are in flight than may be`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(500))
      let table = ScriptedTable()
      let flying = Watch((now: 0, most: 0, started: 0))
      table.hook { _ in
        flying.update { flying in
          flying.now += 1
          flying.most = max(flying.most, flying.now)
          flying.started += 1
        }
        // None ends before as many are on their way as may be.
        _ = try await flying.wait { $0.now >= 7 || $0.started == 500 }
        flying.update { $0.now -= 1 }
        return nil
      }
      try await rig.drain(rig.shipping(to: table, concurrency: 7))
      #expect(flying.value.most == 7)
    }
  }

  @Test func `one slow item holds neither the others up nor is it passed`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(300))
      let table = ScriptedTable()
      let go = Latch<Void>()
      let slow = suffix(1)
      table.hook { key in
        if key.hasSuffix(slow) { try await go.wait() }
        return nil
      }
      try await rig.beside(rig.shipping(to: table, concurrency: 2)) {
        try await expectEventually { table.items.count == 299 }
        #expect(try await rig.next(.dynamodb) == .first)
        go.set(())
        try await expectEventually { try await rig.next(.dynamodb) == offset(301) }
      }
    }
  }

  @Test(arguments: [
    AWSError.answer(403, .credentialsRefused, "AccessDeniedException"), .answer(500, .transient),
    .answer(400, .missing, "ResourceNotFoundException"), .answer(400, .permanent, "SomethingNew"),
    .answer(400, .clockSkewed, "RequestExpired"),
    AWSError(.transport, .transient, operation: "UpdateItem", message: "connection lost"),
  ])
  func `other trouble is retried and makes no dead letter`(error: AWSError) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(50))
      let table = ScriptedTable()
      let failures = Counter()
      table.hook { _ in
        if failures.next() <= 100 { throw error }
        return nil
      }
      #expect(try await rig.drain(rig.shipping(to: table)).deadLetters == 0)
      #expect(numbers(in: table) == Set(1...50))
      #expect(table.descriptions == 0)
    }
  }

  @Test func `a restart after a crash writes only what was not committed`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(100))
      let table = ScriptedTable()
      let writes = Counter()
      let crashed = Latch<Void>()
      table.hook { _ in
        if writes.next() > 60 {
          crashed.set(())
          try await untilCancelled()
        }
        return nil
      }
      try await rig.beside(rig.shipping(to: table)) { try await crashed.wait() }
      let committed = try #require(try await rig.next(.dynamodb)).rawValue
      // At most three of the sixty were ahead of a slower one.
      #expect((58...61).contains(committed))
      table.hook { _ in nil }
      let before = table.writes
      try await rig.drain(rig.shipping(to: table))
      #expect(Int64(table.writes - before) == 101 - committed)
      #expect(numbers(in: table) == Set(1...100))
    }
  }

  // MARK: Expiry

  @Test func `ticks that expired by the table's clock are counted and not written`() async throws {
    try await ShippingRig.with { rig in
      let day: Int64 = 86_400
      let now = someTime / 1_000_000
      try await rig.log.append(ticks(5, receivedAt: someTime - 2 * day * 1_000_000))
      try await rig.log.append(ticks(5, from: 6))
      let table = ScriptedTable(date: now)
      let end = try await rig.drain(rig.shipping(to: table))
      #expect(end.expired == 5)
      #expect(numbers(in: table) == Set(6...10))
      #expect(try await rig.query("SELECT expired || ' ' || next_offset FROM consumers") == ["5 11"])
      #expect(try await rig.deadLetters.isEmpty)
      let said = rig.logs.entries.filter { $0.message.description.contains("TTL had passed") }
      #expect(said.compactMap { $0.metadata["count"].flatMap { Int("\($0)") } }.reduce(0, +) == 5)
    }
  }

  /// Of what our own clock calls alive nothing is given up for a table that says something else once.
  @Test(arguments: [1, 2, 10])
  func `one wrong Date gives up nothing`(nth: Int) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(60))
      let answers = Counter()
      let small = SmallDynamo()
      let transport = ScriptedTransport { request, _ in
        let answer = try small.answer(request)
        guard request.headers["X-Amz-Target"]?.hasSuffix("UpdateItem") == true, answers.next() == nth else {
          return answer
        }
        return HTTPResponse(
          status: 200, head: Array("Date: Sun, 26 Dec 2027 05:13:20 GMT\r\n\r\n".utf8), body: answer.body)
      }
      let table = DynamoTable(
        client: DynamoDBClient(try transport.client()), name: "t",
        clock: TableClock(elapsed: { rig.clock.now })
      ) { someTime }
      let end = try await rig.drain(rig.shipping(to: table, concurrency: 1))
      #expect(end.expired == 0 && end.next == offset(61))
      #expect(small.keys.count == 60)
    }
  }

  @Test func `what the table says of the time again and again is believed`() async throws {
    // Our clock is two days behind, so that all ticks look alive.
    let clock = TestClock(wall: someTime - 2 * 86_400_000_000)
    try await ShippingRig.with(clock: clock) { rig in
      try await rig.log.append(ticks(30, receivedAt: clock.wall))
      let table = ScriptedTable(date: someTime / 1_000_000, elapsed: { clock.now })
      for _ in 1...2 { table.clock.heard(Int(someTime / 1_000_000), own: clock.wall / 1_000_000) }
      let end = try await rig.drain(rig.shipping(to: table))
      #expect(end.expired == 30 && table.items.isEmpty)
      #expect(table.asked == 1)
    }
  }

  @Test func `a table without a Date is judged by our clock and asked once a minute`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(200, receivedAt: someTime - 2 * 86_400_000_000))
      try await rig.log.append(ticks(5, from: 201))
      let table = ScriptedTable(date: nil)
      let end = try await rig.drain(rig.shipping(to: table))
      #expect(end.expired == 200 && end.next == offset(206))
      #expect(numbers(in: table) == Set(201...205))
      #expect(table.asked == 1)
      #expect(rig.logs.messages(.warning).filter { $0.contains("no Date") }.count == 1)
    }
  }

  @Test func `values that the table refuses hold nothing, however many there are`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(40))
      let table = ScriptedTable()
      table.hook { _ in ItemRefusal(cause: "not a numeric value", blame: .value) }
      let end = try await rig.drain(rig.shipping(to: table))
      #expect(end.deadLetters == 40 && end.next == offset(41))
      #expect(rig.logs.messages(.error).isEmpty)
    }
  }

  @Test func `our own clock does not make a tick expire`() async throws {
    // Two days ahead of the table's.
    let clock = TestClock(wall: someTime + 2 * 86_400_000_000)
    try await ShippingRig.with(clock: clock) { rig in
      try await rig.log.append(ticks(5))
      let table = ScriptedTable(date: someTime / 1_000_000)
      let end = try await rig.drain(rig.shipping(to: table))
      #expect(end.expired == 0)
      #expect(numbers(in: table) == Set(1...5))
      #expect((1...4).contains(table.asked))
    }
  }

  // MARK: Refusals

  @Test func `an item that is refused under right keys is a dead letter with its offset`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(20))
      try await rig.damage([9])
      let table = ScriptedTable()
      let bad = suffix(5)
      table.hook { key in key.hasSuffix(bad) ? Self.refusal : nil }
      let end = try await rig.drain(rig.shipping(to: table))
      #expect(end.deadLetters == 2)
      #expect(numbers(in: table) == Set(1...20).subtracting([5, 9]))
      #expect(
        try await rig.deadLetters == ["5 dynamodb bad number", "9 dynamodb the row's checksum is wrong"])
      #expect(
        try await rig.query("SELECT attempts || CAST(payload AS TEXT) FROM dead_letters WHERE offset = 5")
          == ["1{\"n\":5}"])
      #expect(table.descriptions == 1)
    }
  }

  /// The letter and the offset are one transaction: a reader that sees the one sees the other.
  @Test func `the offset never passes a dead tick without its letter`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(400))
      let table = ScriptedTable()
      let bad = Set(stride(from: 7, through: 400, by: 40).map(suffix))
      try await rig.withReader { reader in
        table.hook { key in
          let next = try await reader.text(
            """
            SELECT (SELECT count(*) FROM dead_letters) || ' ' ||
              (SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 7 UNION ALL SELECT i + 40 FROM n WHERE i < 400)
                SELECT i FROM n) WHERE i < (SELECT next_offset FROM consumers) AND i <= 400)
            """)
          let counts = (next ?? "").split(separator: " ")
          #expect(counts.count == 2 && counts.first == counts.last)
          return bad.contains(String(key.suffix(17))) ? Self.refusal : nil
        }
        let end = try await rig.drain(rig.shipping(to: table))
        #expect(end.deadLetters == 10)
      }
    }
  }

  @Test(arguments: [true, false])
  func `wrong keys hold the consumer until they are mended`(complains: Bool) async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(20))
      let table = ScriptedTable()
      if !complains { table.setRightKeys(false) }
      table.hook { _ in ItemRefusal(cause: "key element", blame: complains ? .keys : .item) }
      try await rig.beside(rig.shipping(to: table)) {
        for _ in 1...3 {
          try await expectEventually { rig.clock.waiting.count == 4 }
          rig.clock.advance(by: .seconds(60))
        }
        #expect(try await rig.next(.dynamodb) == .first)
        #expect(try await rig.deadLetters.isEmpty)
        #expect(rig.logs.messages(.error).count >= 3)
        #expect(rig.logs.messages(.notice).isEmpty)
        table.setRightKeys(true)
        table.hook { _ in nil }
        try await expectEventually {
          rig.clock.advance(by: .seconds(60))
          return try await rig.next(.dynamodb) == offset(21)
        }
      }
      #expect(numbers(in: table) == Set(1...20))
    }
  }

  @Test func `ten refusals in a row hold`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(60))
      let table = ScriptedTable()
      table.hook { _ in Self.refusal }
      try await rig.beside(rig.shipping(to: table)) {
        try await expectEventually { rig.clock.waiting.count == 4 }
        #expect(
          rig.logs.entries.first { $0.level == .error }?.metadata["why"] == "10 items in a row were refused")
        table.hook { _ in nil }
        rig.clock.advance(by: .seconds(60))
        try await expectEventually { try await rig.next(.dynamodb) == offset(61) }
      }
      #expect(try await rig.deadLetters.count == 9)
      #expect(table.items.count == 51)
      let said = rig.logs.entries.filter {
        $0.message.description.contains("wait for `tickwal dead-letters retry`")
      }
      #expect(said.map { $0.metadata["count"] } == ["9"])
    }
  }

  @Test func `an index that does not fit holds at the first item`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(20))
      let table = ScriptedTable()
      table.hook { _ in ItemRefusal(cause: "Type mismatch for Index Key", blame: .index) }
      try await rig.beside(rig.shipping(to: table)) {
        try await expectEventually { rig.clock.waiting.count == 4 }
        let why = rig.logs.entries.first { $0.level == .error }?.metadata["why"]
        #expect(why.map { "\($0)".hasPrefix("an index of the table") } == true)
        #expect(try await rig.next(.dynamodb) == .first)
        table.hook { _ in nil }
        rig.clock.advance(by: .seconds(60))
        try await expectEventually { try await rig.next(.dynamodb) == offset(21) }
      }
      #expect(try await rig.deadLetters.isEmpty)
      #expect(table.items.count == 20)
    }
  }
}
