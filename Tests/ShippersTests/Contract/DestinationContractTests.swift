import Base
import Foundation
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Inspect
@testable import Shippers
@testable import WAL

/// The promises of every destination: the program's own, and a third one that is listed here by one line.
@Suite struct DestinationContractTests {
  enum Kind: CaseIterable {
    case s3, dynamodb, dynamodbInBatches, kinesis, localS3, localDynamoDB, localKinesis, shelf
    /// Those that can be asked what they have.
    static var comparable: [Kind] { allCases.filter { $0 != .kinesis && $0 != .localKinesis } }
  }

  /// A destination, made anew for each process, the names of what is there, and the loss of everything that was
  /// delivered.
  struct Place {
    let destination: @Sendable () throws -> any Destination
    let names: @Sendable () throws -> Set<String>
    let lose: @Sendable () throws -> Void
  }

  private func place(_ kind: Kind, _ folder: String, _ clock: ShippingClock) throws -> Place {
    let items = ItemSettings(table: "t", concurrency: 3)
    let out = folder + "/out"
    switch kind {
    case .s3:
      let s3 = SmallS3()
      let client = try ScriptedTransport { request, _ in s3.answer(request) }.client()
      return Place {
        S3Settings.destination(client, bucket: "bucket", .test(rows: 7)) { _ in nil }
      } names: {
        Set(s3.stored.keys)
      } lose: {
        s3.removeAll()
      }
    case .dynamodb, .dynamodbInBatches:
      let items = ItemSettings(
        table: "t", writeMode: kind == .dynamodb ? .update : .batch, concurrency: 3)
      let dynamo = SmallDynamo()
      let client = try ScriptedTransport { request, _ in try dynamo.answer(request) }.client()
      return Place {
        DynamoSettings.destination(client, items)
      } names: {
        dynamo.keys
      } lose: {
        dynamo.clear()
      }
    case .kinesis:
      let kinesis = SmallKinesis()
      let client = try ScriptedTransport { request, _ in try kinesis.answer(request) }.client()
      return Place {
        KinesisSettings.destination(client, stream: "stream")
      } names: {
        Set(try kinesis.offsets.map(String.init))
      } lose: {
        kinesis.clear()
      }
    case .localS3:
      return Place {
        try ObjectDestination.inFolder(out, .test(rows: 7))
      } names: {
        Set(try FileManager.default.subpathsOfDirectory(atPath: out))
      } lose: {
        try FileManager.default.removeItem(atPath: out + "/objects/p")
      }
    case .localDynamoDB:
      return Place {
        try ItemDestination.inFolder(out, items, clock: clock)
      } names: {
        let connection = try SQLiteConnection(path: out + "/table.db", access: .readOnly)
        let names = try connection.fetchAll("SELECT stream_type || ' ' || iso_timestamp FROM items") {
          $0.text(0)
        }
        try connection.close()
        return Set(names)
      } lose: {
        let connection = try SQLiteConnection(path: out + "/table.db", access: .create)
        try connection.execute("DELETE FROM items")
        try connection.close()
      }
    case .localKinesis:
      let file = out + "/records/2026-11-21.jsonl"
      return Place {
        try RecordDestination.inFolder(out)
      } names: {
        guard FileManager.default.fileExists(atPath: file) else { return [] }
        let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
        return try Set(
          lines.map { line in
            let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
            let offset = try #require(row?["offset"] as? Int)
            return "\(offset)"
          })
      } lose: {
        try FileManager.default.removeItem(atPath: file)
      }
    case .shelf:
      let shelf = Shelf()
      return Place {
        ShelfDestination(shelf: shelf)
      } names: {
        Set(shelf.payloads.keys.map(\.description))
      } lose: {
        shelf.clear()
      }
    }
  }

  private func with(_ kind: Kind, _ body: (ShippingRig, Place) async throws -> Void) async throws {
    try await ShippingRig.with { (rig) async throws in
      try await body(rig, try place(kind, rig.folder, rig.clock.shipping))
    }
  }

  private func compare(
    _ rig: ShippingRig, _ destination: any Destination, repairs: Bool = false
  ) async throws -> Reconciliation {
    let reader = try await rig.log.makeReader()
    let reconcile = try await Reconcile(
      reader: reader, from: nil, through: nil, options: Reconcile.Options(isFull: true, repairs: repairs),
      clock: rig.clock.shipping, logger: rig.logs.logger, report: { _ in })
    let consumer = try #require(
      try await reader.consumers().first { $0.name == destination.consumer.name })
    let result = try await reconcile.compare(destination, consumer)
    try await reader.close()
    return result
  }

  /// Expects everything to be there, so many ticks.
  private func expectAll(_ count: Int, _ rig: ShippingRig, _ place: Place) async throws {
    let destination = try place.destination()
    if destination.inventory == nil {
      #expect(try place.names().subtracting(["0"]) == Set((1...count).map(String.init)))
      return
    }
    let found = try await compare(rig, destination)
    #expect(found.agrees)
    #expect(found.checked > 0 && found.agreeing == found.checked)
  }

  @Test(arguments: Kind.allCases)
  func `crashes on the way end in a whole delivery`(kind: Kind) async throws {
    try await with(kind) { (rig, place) async throws in
      let name = try place.destination().consumer.name
      for round in 0..<5 {
        try await rig.log.append(ticks(10, from: round * 10 + 1))
        let before = try await rig.next(name) ?? .first
        let control = ShippingControl()
        control.startDraining()
        // Cancelled as soon as something of it is committed.
        try await rig.beside(Shipping([try place.destination()]), control: control) {
          try await expectEventually { try await rig.next(name) ?? .first > before }
        }
      }
      let end = try await rig.drain(Shipping([try place.destination()]))
      #expect(end.next == offset(51))
      try await expectAll(50, rig, place)
      #expect(try await rig.deadLetters == [])
    }
  }

  @Test(arguments: Kind.allCases)
  func `its address is stored with the consumer, and its kind is its own`(kind: Kind) async throws {
    try await with(kind) { (rig, place) async throws in
      try await rig.log.append(ticks(3))
      let destination = try place.destination()
      try await rig.drain(Shipping([destination]))
      let stored = try await rig.reading { try await $0.consumers() }
      #expect(stored.map(\.name) == [destination.consumer.name])
      #expect(stored.map(\.destination) == [destination.address])
      let plans = try await rig.query("SELECT count(*) FROM batches")
      #expect((plans != ["0"]) == destination.consumer.shipsInBatches)
    }
  }

  @Test(arguments: Kind.allCases)
  func `a replay delivers again and moves nothing`(kind: Kind) async throws {
    try await with(kind) { (rig, place) async throws in
      try await rig.log.append(ticks(21))
      let destination = try place.destination()
      try await rig.drain(Shipping([destination]))
      try place.lose()
      let reader = try await rig.log.makeReader()
      let replay = try await Replay(
        reader: reader, from: offset(1), through: nil, clock: rig.clock.shipping, logger: rig.logs.logger,
        report: { _ in })
      let outcome = try await destination.replay(replay)
      try await reader.close()
      #expect(outcome.problems == [] && outcome.delivered > 0)
      #expect(try await rig.next(destination.consumer.name) == offset(22))
      try await expectAll(21, rig, place)
    }
  }

  @Test(arguments: Kind.allCases)
  func `a dead letter is delivered once more or refused with a reason, and moves nothing`(
    kind: Kind
  ) async throws {
    try await with(kind) { (rig, place) async throws in
      try await rig.log.append(ticks(21))
      let destination = try place.destination()
      try await rig.drain(Shipping([destination]))
      try place.lose()
      func redeliver(_ number: Int64) async throws -> Redelivery {
        let letter = DeadLetter(
          offset: offset(number), consumer: destination.consumer.name, cause: "test", attempts: 1, payload: []
        )
        return try await rig.reading {
          try await Shipping([destination]).redeliver(letter, reader: $0, clock: rig.clock.shipping)
        }
      }
      for _ in 0..<2 {
        // A tick of a batch has its place in an object that is frozen.
        switch try await redeliver(3) {
        case .delivered: #expect(!destination.consumer.shipsInBatches)
        case .refused(let why): #expect(destination.consumer.shipsInBatches && !why.isEmpty)
        case let other: Issue.record("\(other)")
        }
      }
      if Kind.comparable.contains(kind) {
        let found = try await compare(rig, destination)
        #expect(found.agreeing == (destination.consumer.shipsInBatches ? 0 : 1) && found.different == 0)
      } else {
        #expect(try place.names() == ["3"])
      }
      try await rig.damage([4])
      guard case .refused(let why) = try await redeliver(4) else {
        Issue.record("a row that cannot be read was delivered")
        return
      }
      #expect(why.contains("checksum"))
      #expect(try await rig.next(destination.consumer.name) == offset(22))
    }
  }

  @Test(arguments: Kind.allCases)
  func `doctor finds a place that can be delivered to well, and changes nothing there`(
    kind: Kind
  ) async throws {
    try await with(kind) { (rig, place) async throws in
      func expectWell(writes: Bool) async throws {
        let found = try await place.destination().look(writes: writes)
        #expect(!found.isEmpty && Set(found.map(\.name)).count == found.count)
        for finding in found { #expect(finding.verdict == .ok || finding.verdict == .skipped, "\(finding)") }
        #expect(found.contains { $0.verdict == .ok })
      }
      // A new place is as good as one that was delivered to.
      try await expectWell(writes: false)
      try await rig.log.append(ticks(21))
      try await rig.drain(Shipping([try place.destination()]))
      let before = try place.names()
      try await expectWell(writes: false)
      #expect(try place.names() == before)
      try await expectWell(writes: true)
      // A record of offset 0 is no tick's.
      #expect(
        try place.names().subtracting(before).allSatisfy { $0.contains("_logs/doctor.json") || $0 == "0" })
      try await expectAll(21, rig, place)
    }
  }

  @Test(arguments: Kind.comparable)
  func `losses are found, and repaired if asked`(kind: Kind) async throws {
    try await with(kind) { (rig, place) async throws in
      try await rig.log.append(ticks(21))
      let destination = try place.destination()
      try await rig.drain(Shipping([destination]))
      try place.lose()
      let found = try await compare(rig, destination)
      #expect(!found.agrees && found.missing == found.checked && found.missing > 0)
      let repaired = try await compare(rig, destination, repairs: true)
      #expect(repaired.agrees && repaired.repaired == found.missing)
      #expect(try await compare(rig, destination).missing == 0)
    }
  }

  @Test(arguments: Kind.allCases)
  func `verify finds nothing wrong, and salvage leaves the consumer where it is`(kind: Kind) async throws {
    try await with(kind) { (rig, place) async throws in
      try await rig.log.append(ticks(21))
      let destination = try place.destination()
      try await rig.drain(Shipping([destination]))
      let kinds = [destination.consumer]
      #expect(try await LogVerification.of(path: rig.path, consumers: kinds).problems.first == [])
      // As after the end of the process.
      let copy = rig.folder + "/copy.db"
      for suffix in ["", "-wal"] {
        try FileManager.default.copyItem(atPath: rig.path + suffix, toPath: copy + suffix)
      }
      let saved = rig.folder + "/saved.db"
      _ = try await LogSalvage(of: copy, to: saved, consumers: kinds).run()
      #expect(try await LogVerification.of(path: saved, consumers: kinds).problems.first == [])
      let reader = try await LogReader(path: saved)
      let consumers = try await reader.consumers()
      try await reader.close()
      #expect(consumers.map(\.name) == [destination.consumer.name])
      #expect(consumers.map(\.next) == [offset(22)])
      #expect(consumers.map(\.destination) == [destination.address])
    }
  }
}
