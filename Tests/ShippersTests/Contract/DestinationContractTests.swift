import Base
import Foundation
import Inspect
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

/// The promises of every destination: the program's own, and a third one that is listed here by one line.
@Suite struct DestinationContractTests {
  enum Kind: CaseIterable {
    case s3, dynamodb, localS3, localDynamoDB, shelf
  }

  /// A destination, made anew for each process, and its loss of everything that was delivered.
  struct Place {
    let destination: @Sendable () throws -> any Destination
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
      } lose: {
        s3.removeAll()
      }
    case .dynamodb:
      let dynamo = SmallDynamo()
      let client = try ScriptedTransport { request, _ in try dynamo.answer(request) }.client()
      return Place {
        DynamoSettings.destination(client, items)
      } lose: {
        dynamo.clear()
      }
    case .localS3:
      return Place {
        try ObjectDestination.inFolder(out, .test(rows: 7))
      } lose: {
        try FileManager.default.removeItem(atPath: out + "/objects/p")
      }
    case .localDynamoDB:
      return Place {
        try ItemDestination.inFolder(out, items, clock: clock)
      } lose: {
        let connection = try SQLiteConnection(path: out + "/table.db", access: .create)
        try connection.execute("DELETE FROM items")
        try connection.close()
      }
    case .shelf:
      let shelf = Shelf()
      return Place {
        ShelfDestination(shelf: shelf)
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
    let result = try await destination.compare(consumer, reconcile)
    try await reader.close()
    return result
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
      let found = try await compare(rig, try place.destination())
      #expect(found.agrees)
      #expect(found.checked > 0 && found.agreeing == found.checked)
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
      #expect(try await compare(rig, destination).agrees)
    }
  }

  @Test(arguments: Kind.allCases)
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
