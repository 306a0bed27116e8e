import Base
import Foundation
import ShippingFixtures
import TestSupport
import Testing

@testable import Inspect
@testable import Shippers
@testable import WAL

@Suite struct ReconcileTests {
  private let items = ItemSettings(table: "t", concurrency: 4, retentionDays: 1)

  private func reconcile(
    _ rig: ShippingRig, _ reader: LogReader, from first: Int64? = nil, through last: Int64? = nil,
    _ options: Reconcile.Options = Reconcile.Options(),
    random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()
  ) async throws -> Reconcile {
    try await Reconcile(
      reader: reader, from: first.map { offset($0) }, through: last.map { offset($0) }, options: options,
      clock: rig.clock.shipping, random: random, logger: rig.logs.logger, report: { _ in })
  }

  private func compare(
    _ rig: ShippingRig, _ reconcile: Reconcile, _ consumer: Consumer, _ folder: String
  ) async throws -> Reconciliation {
    try await reconcile.compare(
      try ItemDestination.inFolder(folder, items, clock: rig.clock.shipping), consumer)
  }

  /// A log whose ticks all have their items in a folder.
  private func withItems(
    _ count: Int, _ body: (ShippingRig, LogReader, Consumer, _ folder: String) async throws -> Void
  ) async throws {
    try await ShippingRig.with { (rig) async throws in
      try await rig.log.append(ticks(count))
      let folder = rig.folder + "/out"
      try await rig.drain(
        try Shipping.toFolder(folder, objects: nil, items: items, clock: rig.clock.shipping))
      try await rig.withReader { (reader) async throws in
        let consumer = try #require(try await reader.consumers().first { $0.name == .localDynamoDB })
        try await body(rig, reader, consumer, folder)
      }
    }
  }

  @Test func `items whose TTL is over are not missing`() async throws {
    try await withItems(30) { (rig, reader, consumer, folder) async throws in
      for suffix in ["", "-wal", "-shm"] where access(folder + "/table.db" + suffix, F_OK) == 0 {
        try FileManager.default.removeItem(atPath: folder + "/table.db" + suffix)
      }
      let before = try await compare(rig, reconcile(rig, reader), consumer, folder)
      #expect(before.missing == 30)
      #expect(before.expired == 0)
      #expect(access(folder + "/table.db", F_OK) != 0, "it only looked")
      rig.clock.setWall(someTime + 2 * 86_400_000_000)
      let after = try await compare(
        rig, reconcile(rig, reader, Reconcile.Options(repairs: true)), consumer, folder)
      #expect(after.missing == 0)
      #expect(after.expired == 30)
      #expect(after.agrees)
      #expect(access(folder + "/table.db", F_OK) != 0, "what has expired is not written")
    }
  }

  @Test func `a long log is sampled from end to end and compared wholly with full`() async throws {
    try await withItems(4_000) { (rig, reader, consumer, folder) async throws in
      let sample = try await compare(rig, reconcile(rig, reader), consumer, folder)
      #expect(sample.isSample)
      #expect(sample.checked == 1_000)
      #expect(sample.agreeing == 1_000)
      let full = try await compare(
        rig, reconcile(rig, reader, Reconcile.Options(isFull: true)), consumer, folder)
      #expect(!full.isSample)
      #expect(full.agreeing == 4_000)
      let part = try await compare(rig, reconcile(rig, reader, from: 3_001, through: 3_500), consumer, folder)
      #expect(!part.isSample)
      #expect(part.checked == 500)
    }
  }

  @Test(arguments: [(2, 1), (1, 26), (30, 31)] as [(Int64, Int64)])
  func `a range that is not there is refused`(first: Int64, last: Int64) async throws {
    try await ShippingRig.with { (rig) async throws in
      try await rig.log.append(ticks(25))
      try await rig.withReader { (reader) async throws in
        let error = await #expect(throws: LogError.self) {
          _ = try await reconcile(rig, reader, from: first, through: last)
        }
        #expect(error?.code == .notFound)
        #expect(error?.description.contains("\(first) to \(last)") == true)
      }
    }
  }

  @Test func `what is looked at follows the generator that is given`() async throws {
    try await withItems(4_000) { (rig, reader, consumer, folder) async throws in
      // Everything is missing there, and so what was looked at is named.
      func looked(_ seed: UInt64) async throws -> [Reconciliation.Problem] {
        let result = try await compare(
          rig, reconcile(rig, reader, random: SplitMix64(seed: seed)), consumer, folder + "/nowhere")
        #expect(result.missing == 1_000)
        return result.problems
      }
      let first = try await looked(1)
      #expect(try await looked(1) == first)
      #expect(try await looked(2) != first)
    }
  }

  @Test func `trouble is said to be that of a comparison`() async throws {
    try await withItems(3) { (rig, reader, consumer, folder) async throws in
      try FileManager.default.createDirectory(
        atPath: folder + "/other/table.db", withIntermediateDirectories: true)
      let result = try await compare(rig, reconcile(rig, reader), consumer, folder + "/other")
      #expect(result.failure?.hasPrefix("could not read the items of t: ") == true)
      #expect(!result.agrees)
      #expect(rig.logs.messages(.warning) == ["could not compare: trying again"])
    }
  }

  @Test func `a range that is not kept any more is refused and one that is in part is said`() async throws {
    try await withItems(4_000) { (rig, reader, consumer, folder) async throws in
      rig.log.startUpkeep(retention: .zero, disk: .off)
      for _ in 0..<2 { try await rig.log.upkeepDone() }
      #expect(try await reader.oldest() == nil)
      for (first, last) in [(1, 100), (3_900, nil), (nil, 4_000)] as [(Int64?, Int64?)] {
        let error = await #expect(throws: LogError.self) {
          _ = try await reconcile(rig, reader, from: first, through: last)
        }
        #expect(error?.code == .notFound)
        #expect(
          error?.description.contains(
            "\(Figures.grouped(first ?? 1)) to \(Figures.grouped(last ?? 4_000)): they are not kept any more, the log has nothing"
          ) == true)
      }
      // Without bounds it is all that is kept.
      let all = try await reconcile(rig, reader)
      #expect(all.trimmed == nil)
      #expect(try await compare(rig, all, consumer, folder).checked == 0)

      try await rig.log.append(ticks(50))
      let error = await #expect(throws: LogError.self) {
        _ = try await reconcile(rig, reader, through: 4_000)
      }
      #expect(error?.description.contains("1 to 4,000") == true)
      #expect(error?.description.contains("the log has 4,001 to 4,050") == true)
      #expect(
        try await reconcile(rig, reader, from: 3_000, through: 4_001).trimmed == offset(3_000)...offset(4_000)
      )
      #expect(try await reconcile(rig, reader, from: 4_001).trimmed == nil)
      #expect(try await reconcile(rig, reader, through: 4_001).trimmed == nil)
    }
  }
}
