import AWS
import Foundation
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct ReplayTests {
  private func replay(
    _ rig: ShippingRig, _ reader: LogReader, from first: Int64, through last: Int64? = nil,
    report: @escaping Replay.Report = { _ in }
  ) async throws -> Replay {
    try await Replay(
      reader: reader, from: offset(first), through: last.map { offset($0) }, clock: rig.clock.shipping,
      logger: rig.logs.logger, report: report)
  }

  /// A log with 25 ticks in three shipped objects of a folder.
  private func withShipped(_ body: (ShippingRig, LogReader, _ shipping: Shipping) async throws -> Void)
    async throws
  {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      let shipping = try Shipping.toFolder(
        rig.folder + "/out", objects: .test(), items: nil, clock: rig.clock.shipping)
      try await rig.drain(shipping)
      try await rig.withReader { reader in try await body(rig, reader, shipping) }
    }
  }

  private func frozen(
    _ replay: Replay, _ rig: ShippingRig, _ settings: ObjectSettings
  ) async throws -> Replay.Outcome {
    try await ObjectDestination.inFolder(rig.folder + "/out", settings).replay(replay)
  }

  private func copies(
    _ replay: Replay, _ rig: ShippingRig, _ settings: ObjectSettings
  ) async throws -> Replay.Outcome {
    let store = try LocalObjectStore(root: rig.folder + "/out/objects")
    return try await ObjectReplay(replay: replay, store: store, settings: settings).copies()
  }

  private func objects(_ folder: String) throws -> [String: [Int64]] {
    let root = folder + "/objects"
    var objects: [String: [Int64]] = [:]
    for path in try FileManager.default.subpathsOfDirectory(atPath: root) where path.hasSuffix(".jsonl") {
      let body = try Data(contentsOf: URL(fileURLWithPath: root + "/" + path))
      objects[path] = numbers(inRows: Array(body))
    }
    return objects
  }

  // MARK: Bounds

  @Test(arguments: [(0, nil), (26, nil), (1, 26), (30, 40)] as [(Int64, Int64?)])
  func `bounds outside the log are refused naming both`(first: Int64, last: Int64?) async throws {
    try await withShipped { rig, reader, _ in
      let error = await #expect(throws: LogError.self) {
        _ = try await replay(rig, reader, from: first, through: last)
      }
      #expect(error?.code == .notFound)
      #expect(error?.description.contains("the log has 1 to 25") == true)
      #expect(error?.description.contains("\(first) to \(last ?? 25)") == true)
    }
  }

  @Test func `an end before the start and an empty log are refused`() async throws {
    try await withShipped { rig, reader, _ in
      let error = await #expect(throws: LogError.self) {
        _ = try await replay(rig, reader, from: 5, through: 4)
      }
      #expect(error?.description.contains("the end comes before the start") == true)
    }
    try await ShippingRig.with { rig in
      try await rig.withReader { reader in
        let error = await #expect(throws: LogError.self) { _ = try await replay(rig, reader, from: 1) }
        #expect(error?.code == .notFound)
      }
    }
  }

  // MARK: Rows

  @Test func `rows are those of the objects in bounds that are inclusive`() async throws {
    try await withShipped { rig, reader, _ in
      let reported = Mutex<[Int64]>([])
      let replay = try await replay(rig, reader, from: 3, through: 12) { last in
        reported.withLock { $0.append(last.rawValue) }
      }
      var text: [UInt8] = []
      let outcome = try await replay.rows { text += $0 }
      #expect(numbers(inRows: text) == Array(3...12))
      #expect(outcome == Replay.Outcome(delivered: 10))
      #expect(reported.withLock { $0 } == [12])
      #expect(try await rig.next(.localS3) == offset(26))
    }
  }

  @Test func `damaged rows are problems and the rest is delivered`() async throws {
    try await withShipped { rig, reader, _ in
      try await rig.damage([4])
      try await rig.log.write { transaction in
        let checksum = withUnsafeBytes(of: UInt8(ascii: "x")) { byte in
          Checksum.row(
            offset: offset(6), receivedAt: 0, eventTime: nil, stream: byte, payload: byte)
        }
        try transaction.connection.run(
          "UPDATE ticks SET received_at = 0, stream = 'x', payload = 'x', checksum = ? WHERE offset = 6",
          .int(Int64(checksum)))
      }
      var text: [UInt8] = []
      let replay = try await replay(rig, reader, from: 1, through: 10)
      let outcome = try await replay.rows { text += $0 }
      #expect(numbers(inRows: text) == [1, 2, 3, 5, 7, 8, 9, 10])
      #expect(outcome.delivered == 8)
      #expect(outcome.problems.map { $0.prefix(9) } == ["offset 6:", "offset 4:"])
    }
  }

  @Test func `problems are kept up to a limit and then counted`() {
    var outcome = Replay.Outcome()
    for number in 1...25 { outcome.add(problem: "\(number)") }
    #expect(outcome.problems.count == 20)
    #expect(outcome.moreProblems == 5)
  }

  // MARK: Objects

  @Test func `frozen objects come back under their own keys`() async throws {
    try await withShipped { rig, reader, _ in
      let before = try objects(rig.folder + "/out")
      #expect(before.count == 3)
      try FileManager.default.removeItem(atPath: rig.folder + "/out/objects")
      // Other settings than those they were made with, and a range that begins and ends inside of plans.
      let settings = ObjectSettings(
        folder: "elsewhere", fileName: "g", layout: .flat, compression: .gzip(level: 9), maximumRows: 3)
      let replay = try await replay(rig, reader, from: 14, through: 22)
      let outcome = try await frozen(replay, rig, settings)
      #expect(outcome == Replay.Outcome(delivered: 2))
      let after = try objects(rig.folder + "/out")
      #expect(after == before.filter { $0.value.contains(14) || $0.value.contains(22) })
    }
  }

  @Test func `objects that are there are left as they are`() async throws {
    try await withShipped { rig, reader, _ in
      let replay = try await replay(rig, reader, from: 1)
      let again = try await frozen(replay, rig, .test())
      #expect(again == Replay.Outcome(alreadyThere: 3))
      let key = try #require(try objects(rig.folder + "/out").keys.first)
      try Data("other".utf8).write(to: URL(fileURLWithPath: rig.folder + "/out/objects/" + key))
      let outcome = try await frozen(replay, rig, .test())
      #expect(outcome.alreadyThere == 2)
      #expect(outcome.problems.count == 1)
      #expect(outcome.problems.first?.contains(key) == true)
    }
  }

  @Test func `a range that was never planned is refused before anything is uploaded`() async throws {
    try await withShipped { rig, reader, _ in
      try await rig.log.append(ticks(5, from: 26))
      try FileManager.default.removeItem(atPath: rig.folder + "/out/objects")
      let replay = try await replay(rig, reader, from: 1)
      let error = await #expect(throws: LogError.self) {
        _ = try await frozen(replay, rig, .test())
      }
      #expect(error?.code == .notFound)
      #expect(error?.description.contains("offset 26 was never planned") == true)
      #expect(!FileManager.default.fileExists(atPath: rig.folder + "/out/objects"))
    }
  }

  @Test func `an object whose content the log no longer gives is not made`() async throws {
    try await withShipped { rig, reader, _ in
      try await rig.damage([12])
      try FileManager.default.removeItem(atPath: rig.folder + "/out/objects")
      let replay = try await replay(rig, reader, from: 1)
      let outcome = try await frozen(replay, rig, .test())
      #expect(outcome.delivered == 2)
      #expect(outcome.problems.count == 1)
      #expect(try objects(rig.folder + "/out").values.allSatisfy { !$0.contains(12) })
    }
  }

  @Test func `copies are cut anew under their folder`() async throws {
    try await withShipped { rig, reader, _ in
      let settings = ObjectSettings(folder: "copy", fileName: "f", compression: .none, maximumRows: 4)
      let replay = try await replay(rig, reader, from: 8, through: 17)
      let outcome = try await self.copies(replay, rig, settings)
      #expect(outcome == Replay.Outcome(delivered: 3))
      let copies = try objects(rig.folder + "/out").filter {
        $0.key.hasPrefix("copy/dt=2026-11-21/hour=05/f-")
      }
      #expect(copies.values.sorted { $0[0] < $1[0] } == [Array(8...11), Array(12...15), Array(16...17)])
      let again = try await self.copies(replay, rig, settings)
      #expect(again == Replay.Outcome(alreadyThere: 3))
      #expect(try await rig.query("SELECT count(*) FROM batches") == ["3"])
    }
  }

  @Test func `a key that is taken and free again is tried again`() async throws {
    try await withShipped { rig, reader, _ in
      let s3 = SmallS3()
      let transport = ScriptedTransport { request, number in
        number == 1 ? .s3Error(412, "PreconditionFailed") : s3.answer(request)
      }
      let replay = try await replay(rig, reader, from: 1, through: 10)
      let outcome = try await ObjectReplay(
        replay: replay, store: S3Store(client: S3Client(try transport.client()), bucket: "b"),
        settings: .test()
      ).copies()
      #expect(outcome == Replay.Outcome(delivered: 1))
      #expect(transport.requests.map(\.method) == [.put, .head, .put])
    }
  }

  // MARK: Items

  @Test func `items are written again and the expired counted`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3, receivedAt: someTime - 3 * 86_400_000_000))
      try await rig.log.append(ticks(7, from: 4))
      try await rig.withReader { reader in
        let written = Mutex<Set<String>>([])
        let transport = ScriptedTransport { request, _ in
          if request.headers["X-Amz-Target"]?.hasSuffix("UpdateItem") == true {
            let item = try Item(request.body)
            written.withLock { _ = $0.insert(item.key) }
          }
          return .answer(200, [:], "{}")
        }
        let replay = try await replay(rig, reader, from: 1)
        let outcome = try await DynamoSettings.destination(try transport.client(), ItemSettings(table: "t"))
          .replay(replay)
        #expect(outcome.delivered == 7)
        #expect(outcome.expired == 3)
        #expect(written.withLock { $0.count } == 7)
      }
    }
  }

  @Test func `refused items are problems`() async throws {
    try await withShipped { rig, reader, _ in
      let transport = ScriptedTransport { request, _ in
        String(decoding: request.body, as: UTF8.self).contains("\\\"n\\\":7}")
          ? .dynamoError(400, "ValidationException", "bad number") : .answer(200, [:], "{}")
      }
      let replay = try await replay(rig, reader, from: 1, through: 10)
      let outcome = try await DynamoSettings.destination(try transport.client(), ItemSettings(table: "t"))
        .replay(replay)
      #expect(outcome.delivered == 9)
      #expect(outcome.problems.count == 1)
      #expect(outcome.problems.first?.hasPrefix("offset 7: ") == true)
    }
  }
}
