import AWS
import Base
import ShippingFixtures
import TestSupport
import Testing

@testable import Inspect
@testable import Shippers
@testable import WAL

@Suite struct RedeliveryTests {
  private static let refusal = ItemRefusal(cause: "bad number", blame: .item)

  private func redeliver(
    _ rig: ShippingRig, _ shipping: Shipping, _ number: Int64, of consumer: ConsumerName = .dynamodb
  ) async throws -> Redelivery {
    let letter = DeadLetter(offset: offset(number), consumer: consumer, cause: "", attempts: 1, payload: [])
    return try await rig.reading {
      try await shipping.redeliver(letter, reader: $0, clock: rig.clock.shipping)
    }
  }

  @Test func `an item is written again or refused again`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5))
      let table = ScriptedTable()
      let shipping = rig.shipping(to: table)
      table.hook { $0.hasSuffix(Self.suffix(3)) ? Self.refusal : nil }
      try await rig.drain(shipping)
      #expect(try await rig.deadLetters == ["3 dynamodb bad number"])
      #expect(try await redeliver(rig, shipping, 3) == .refused("bad number"))
      #expect(table.items.count == 4)
      table.hook { _ in nil }
      #expect(try await redeliver(rig, shipping, 3) == .delivered)
      #expect(table.items.count == 5)
      #expect(try await rig.next(.dynamodb) == offset(6))
    }
  }

  private static func suffix(_ number: Int) -> String {
    "#\(SHA256.hash(Array("{\"n\":\(number)}".utf8)).hex.prefix(16))"
  }

  @Test func `what the tick is not to blame for is no attempt`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5))
      let table = ScriptedTable()
      let shipping = rig.shipping(to: table)
      try await rig.drain(shipping)
      table.hook { _ in throw AWSError.answer(503, .transient) }
      guard case .untried = try await redeliver(rig, shipping, 3) else {
        return #expect(Bool(false), "a table that is away has refused nothing")
      }
      table.hook { _ in ItemRefusal(cause: "keys", blame: .keys) }
      guard case .untried = try await redeliver(rig, shipping, 3) else {
        return #expect(Bool(false), "a wrong table says nothing of the item")
      }
      table.hook { _ in nil }
      guard case .untried(let why) = try await redeliver(rig, shipping, 3, of: .s3) else {
        return #expect(Bool(false), "nobody here delivers objects")
      }
      #expect(why.contains("s3"))
      // Trimmed: only the letter's payload is left.
      try await rig.log.write { try $0.setMeta("trimmed", "3") }
      guard case .untried(let gone) = try await redeliver(rig, shipping, 3) else {
        return #expect(Bool(false), "the tick is trimmed")
      }
      #expect(gone.contains("not kept any more"))
    }
  }

  @Test func `another place than the consumer's gets nothing`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(5))
      try await rig.drain(rig.shipping(to: ScriptedTable()))
      let other = ScriptedTable()
      let shipping = Shipping([
        ItemDestination(
          .dynamodb, ItemSettings(table: "u"), TableAddress(region: "r", table: "u"), table: other)
      ])
      guard case .untried(let why) = try await redeliver(rig, shipping, 3) else {
        return #expect(Bool(false), "the consumer delivers elsewhere")
      }
      #expect(why.contains("\"t\"") && why.contains("\"u\""))
      #expect(other.writes == 0)
    }
  }

  @Test func `a tick whose TTL has passed is expired`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(1))
      let now = someTime / 1_000_000 + 2 * 86_400
      let table = ScriptedTable(date: now)
      let shipping = rig.shipping(to: table)
      try await rig.drain(shipping)
      rig.clock.setWall(now * 1_000_000)
      #expect(try await redeliver(rig, shipping, 1) == .expired)
      #expect(table.writes == 1)
    }
  }

  @Test func `an object is frozen without its bad rows`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(20))
      try await rig.damage([4])
      let store = ScriptedStore()
      let shipping = rig.shipping(to: store)
      try await rig.drain(shipping)
      #expect(
        try await redeliver(rig, shipping, 4, of: .s3) == .refused("the row's checksum is wrong"))
      // Delivered once more, the batch lacks the same row, and it is recorded once.
      _ = try await rig.log.seek(SeekRequest(consumer: .s3, offset: .first))
      try await rig.drain(shipping)
      #expect(try await rig.deadLetters == ["4 s3 the row's checksum is wrong"])
      #expect(store.puts.count == 4)
      #expect(store.objects.values.flatMap { numbers(inRows: $0.body) }.count == 19)
    }
  }

  @Test func `what was skipped with its plan is not missing`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(20))
      let place = rig.folder + "/out"
      let shipping = try Shipping.toFolder(place, objects: .test(), items: nil, clock: rig.clock.shipping)
      _ = try await rig.log.enable(shipping.consumers, acceptDestinations: false, logger: rig.logs.logger)
      let destination = try #require(shipping.consumers.first?.destination)
      let logID = try await rig.reading { try await $0.logID() }
      try await rig.log.write { transaction in
        try transaction.plan(
          BatchPlan(
            consumer: .localS3, range: offsets(1...10), destination: destination, bucket: place,
            key: "p/f-\(logID)-1-10.jsonl", rows: 10, sha256: String(repeating: "a", count: 64)))
      }
      _ = try await rig.log.seek(SeekRequest(consumer: .localS3, offset: offset(11), maySkip: true))
      try await rig.drain(shipping)
      try await rig.withReader { reader in
        let consumer = try #require(try await reader.consumers().first)
        let reconcile = try await Reconcile(
          reader: reader, from: nil, through: nil, options: Reconcile.Options(repairs: true),
          clock: rig.clock.shipping, logger: rig.logs.logger, report: { _ in }
        )
        let result = try await reconcile.compare(try ObjectDestination.inFolder(place, .test()), consumer)
        #expect(result.agrees && result.skipped == 10 && result.agreeing == 1)
      }
    }
  }

  @Test func `the first dead letter is said at once and the others summed up`() {
    var summary = DeadLetterSummary()
    #expect(summary.added(2, now: .seconds(5)) == 2)
    #expect(summary.added(3, now: .seconds(6)) == nil)
    #expect(summary.added(4, now: .seconds(64)) == nil)
    #expect(summary.added(1, now: .seconds(65)) == 8)
    #expect(summary.added(1, now: .seconds(66)) == nil)
  }

  @Test func `a dead letter is said in the log`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(20))
      try await rig.damage([4, 5])
      try await rig.drain(rig.shipping(to: ScriptedStore()))
      let said = rig.logs.entries.filter { $0.message.contains("dead letters") }
      #expect(said.count == 1)
      #expect(said.first?.metadata["count"] == "2" && said.first?.metadata["offset"] == "4")
      #expect(said.first?.metadata["consumer"] == "s3")
    }
  }
}
