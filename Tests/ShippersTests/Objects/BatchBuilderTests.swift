import AWS
import Base
import ShippingFixtures
import TestSupport
import Testing
import WAL

@testable import Shippers

@Suite struct BatchBuilderTests {
  private static let hour: Int64 = 3_600_000_000

  /// Offers a payload; a string literal stays where it is for the call.
  private func add(
    _ builder: inout BatchBuilder, _ payload: String, receivedAt: Int64 = someTime, limits: Bool = true
  ) -> BatchBuilder.Outcome {
    var payload = payload
    var stream = "btcusdt@test"
    return payload.withUTF8 { payload in
      stream.withUTF8 { stream in
        builder.add(receivedAt: receivedAt, stream: stream, payload: payload, respectsLimits: limits)
      }
    }
  }

  private func text(_ batch: borrowing BuiltBatch) -> String { String(decoding: batch.body, as: UTF8.self) }

  @Test func `the last row that fits fills the batch`() {
    var builder = BatchBuilder(first: offset(7), settings: .test(rows: 3))
    let isEmpty = builder.isEmpty
    #expect(isEmpty)
    #expect(add(&builder, "{\"n\":7}") == .taken)
    let room = builder.room
    #expect(room == 2)
    #expect(add(&builder, "{\"n\":8}") == .taken)
    #expect(add(&builder, "{\"n\":9}") == .full)
    let next = builder.next
    #expect(next == offset(10))
    let batch = builder.finish()
    #expect(batch.range == offsets(7...9))
    #expect(batch.rows == 3)
    #expect(numbers(inRows: batch.body) == [7, 8, 9])
    #expect(batch.sha256 == SHA256.hash(batch.body).hex)
  }

  @Test func `a batch that is packed ahead of its turn is packed once, and who delivers it has that`()
    async throws
  {
    for isAhead in [true, false] {
      var builder = BatchBuilder(first: .first, settings: .test(rows: 20_000))
      for number in 1...20_000 { _ = add(&builder, "{\"n\":\(number)}") }
      let batch = builder.cut()
      if isAhead { _ = try await batch.pack() }
      let built = try await withThrowingTaskGroup(of: BuiltBatch.self) { group in
        for _ in 0..<3 { group.addTask { try await batch.pack() } }
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(built.count == 3)
      for each in built {
        #expect(each.range == offsets(1...20_000) && each.rows == 20_000)
        #expect(numbers(inRows: each.body) == Array(1...20_000))
        #expect(each.sha256 == SHA256.hash(each.body).hex)
      }
    }
  }

  @Test func `a change of the hour of receipt cuts before`() {
    let start = someTime / Self.hour * Self.hour
    var builder = BatchBuilder(first: .first, settings: .test())
    #expect(add(&builder, "{\"n\":1}", receivedAt: start) == .taken)
    #expect(add(&builder, "{\"n\":2}", receivedAt: start + Self.hour - 1) == .taken)
    #expect(add(&builder, "{\"n\":3}", receivedAt: start + Self.hour) == .cutBefore)
    // A clock that was set back changes the hour as well.
    #expect(add(&builder, "{\"n\":3}", receivedAt: start - 1) == .cutBefore)
    let batch = builder.finish()
    #expect(batch.range == offsets(1...2))
    #expect(numbers(inRows: batch.body) == [1, 2])
  }

  @Test func `the row that would exceed the bytes belongs to the next batch`() {
    var builder = BatchBuilder(first: .first, settings: .test())
    _ = add(&builder, "{\"n\":1}")
    let rowBytes = builder.finish().body.count
    var exact = BatchBuilder(first: .first, settings: .test(maximumBytes: 2 * rowBytes))
    #expect(add(&exact, "{\"n\":1}") == .taken)
    #expect(add(&exact, "{\"n\":2}") == .taken)
    #expect(add(&exact, "{\"n\":3}") == .cutBefore)
    #expect(exact.finish().body.count == 2 * rowBytes)
    var short = BatchBuilder(first: .first, settings: .test(maximumBytes: 2 * rowBytes - 1))
    #expect(add(&short, "{\"n\":1}") == .taken)
    #expect(add(&short, "{\"n\":2}") == .cutBefore)
    #expect(numbers(inRows: short.finish().body) == [1])
  }

  @Test func `a row above the bytes goes alone`() {
    var builder = BatchBuilder(first: .first, settings: .test(maximumBytes: 5))
    #expect(add(&builder, "{\"n\":1}") == .taken)
    #expect(add(&builder, "{\"n\":2}") == .cutBefore)
    #expect(builder.finish().rows == 1)
  }

  @Test func `a fixed range is not cut`() {
    var builder = BatchBuilder(first: .first, settings: .test(rows: 1, maximumBytes: 1))
    for number in 1...5 {
      #expect(
        add(&builder, "{\"n\":\(number)}", receivedAt: Int64(number) * Self.hour, limits: false) != .cutBefore
      )
    }
    #expect(numbers(inRows: builder.finish().body) == [1, 2, 3, 4, 5])
  }

  @Test func `bad rows take their place and no line`() {
    var builder = BatchBuilder(first: .first, settings: .test(rows: 4))
    #expect(builder.addBad(TickPage.BadRow(offset: .first, cause: "missing", payload: [])) == .taken)
    #expect(add(&builder, "{\"n\":2}") == .taken)
    #expect(add(&builder, "no JSON") == .taken)
    #expect(add(&builder, "{\"n\":4}") == .full)
    let batch = builder.finish()
    #expect(batch.range == offsets(1...4))
    #expect(batch.rows == 2)
    #expect(batch.bad.map(\.offset) == [offset(1), offset(3)])
    #expect(batch.bad[1].payload == Array("no JSON".utf8))
    #expect(numbers(inRows: batch.body) == [2, 4])
  }

  @Test func `a batch of bad rows alone has no time and no text`() {
    var builder = BatchBuilder(first: .first, settings: .test())
    _ = builder.addBad(TickPage.BadRow(offset: .first, cause: "missing", payload: []))
    let batch = builder.finish()
    #expect(batch.rows == 0)
    #expect(batch.firstReceivedAt == nil)
    #expect(batch.body.isEmpty)
  }

  @Test(arguments: [0, 1, 6, 9])
  func `gzip opens elsewhere to the very text`(level: Int) async throws {
    // More than zlib's window and than what is given to it at a time.
    var plain = BatchBuilder(first: .first, settings: .test(rows: 5_000))
    var packed = BatchBuilder(
      first: .first, settings: .test(rows: 5_000, compression: .gzip(level: level)))
    for number in 1...2_000 {
      let payload = "{\"n\":\(number),\"x\":\"\(String(repeating: "ü\(number)", count: number % 40))\"}"
      #expect(add(&plain, payload) == .taken)
      #expect(add(&packed, payload) == .taken)
    }
    let text = plain.finish()
    let batch = packed.finish()
    #expect(batch.isCompressed)
    #expect(!text.isCompressed)
    #expect(batch.sha256 == text.sha256)
    #expect(try await gunzip(batch.body) == text.body)
    #expect(ObjectContent(batch.body, key: "x.gz").sha256 == text.sha256)
  }

  /// Reference: RFC 1952, section 2.3: MTIME is bytes 4 to 7.
  @Test func `gzip has no time and equal text gives equal bytes`() {
    func make() -> [UInt8] {
      var builder = BatchBuilder(first: .first, settings: .test(compression: .gzip(level: 6)))
      _ = add(&builder, "{\"n\":1}")
      return builder.finish().body
    }
    let body = make()
    #expect(Array(body.prefix(4)) == [0x1F, 0x8B, 8, 0])
    #expect(Array(body[4..<8]) == [0, 0, 0, 0])
    #expect(body == make())
  }

  @Test func `what is cut or damaged is no gzip of ours`() {
    var builder = BatchBuilder(first: .first, settings: .test(compression: .gzip(level: 6)))
    _ = add(&builder, "{\"n\":1}")
    let batch = builder.finish()
    #expect(ObjectContent(batch.body, key: "x.gz").sha256 == batch.sha256)
    #expect(ObjectContent(Array(batch.body.dropLast()), key: "x.gz").sha256 == nil)
    #expect(ObjectContent(batch.body + [0], key: "x.gz").sha256 == nil)
    #expect(ObjectContent([0x1F, 0x8B] + Array("text".utf8), key: "x.gz").sha256 == nil)
    #expect(ObjectContent([], key: "x.gz").sha256 == nil)
  }

  /// Against cuts found by looking at all rows at once.
  @Test func `over random rows the cuts are the model's`() {
    var random = SplitMix64.forTest()
    for _ in 0..<200 {
      let settings = ObjectSettings.test(
        rows: Int.random(in: 1...12, using: &random), maximumBytes: Int.random(in: 50...1_500, using: &random)
      )
      var time = someTime
      let rows: [(receivedAt: Int64, payload: String?)] = (1...60).map { number in
        time += Int64.random(in: -Self.hour / 8...Self.hour / 4, using: &random)
        let isBad = Int.random(in: 0..<10, using: &random) == 0
        let pad = String(repeating: "y", count: Int.random(in: 0..<60, using: &random))
        return (time, isBad ? nil : "{\"n\":\(number),\"p\":\"\(pad)\"}")
      }
      var index = 0
      while index < rows.count {
        let expected = Self.modelCut(rows, from: index, settings, bytes: rowBytes)
        var builder = BatchBuilder(first: offset(Int64(index + 1)), settings: settings)
        var isOpen = true
        while isOpen, index < rows.count {
          let outcome =
            rows[index].payload.map { add(&builder, $0, receivedAt: rows[index].receivedAt) }
            ?? builder.addBad(TickPage.BadRow(offset: builder.next, cause: "bad", payload: []))
          if outcome != .cutBefore { index += 1 }
          isOpen = outcome == .taken
        }
        #expect(index == expected)
        #expect(builder.finish().range.upperBound == offset(Int64(expected)))
      }
    }
  }

  private func rowBytes(_ payload: String) -> Int {
    var builder = BatchBuilder(first: .first, settings: .test())
    _ = add(&builder, payload)
    return builder.finish().body.count
  }

  /// - Returns: the index after the batch that starts at `start`.
  private static func modelCut(
    _ rows: [(receivedAt: Int64, payload: String?)], from start: Int, _ settings: ObjectSettings,
    bytes: (String) -> Int
  ) -> Int {
    for end in start + 1...rows.count {
      let isFull = end - start == settings.maximumRows
      if isFull || end == rows.count { return end }
      let good = rows[start...end].filter { $0.payload != nil }
      guard rows[end].payload != nil, good.count > 1 else { continue }
      let hours = Set(good.map { Int64(($0.receivedAt).quotientAndRemainder(dividingBy: hour).quotient) })
      let total = good.reduce(0) { $0 + bytes($1.payload!) }
      if hours.count > 1 || total > settings.maximumBytes { return end }
    }
    return rows.count
  }
}

@Suite struct ObjectKeyTests {
  private let logID = LogID(rawValue: "0123456789abcdef")
  /// 2026-11-21 05:13:20.123456 UTC.
  private let time = someTime

  private func settings(_ folder: String, _ layout: ObjectSettings.Layout = .hive) -> ObjectSettings {
    ObjectSettings(folder: folder, fileName: "miniticker", layout: layout)
  }

  private func key(_ settings: ObjectSettings, isCompressed: Bool = true) -> String {
    ObjectKey.batch(
      offsets(41...1_040), firstReceivedAt: time, logID: logID, isCompressed: isCompressed, settings: settings
    )
  }

  @Test func `layouts are byte for byte as documented`() {
    #expect(
      key(settings("batch_jsonl"))
        == "batch_jsonl/dt=2026-11-21/hour=05/miniticker-2026-11-21T05-13-20.123456Z-0123456789abcdef-41-1040.jsonl.gz"
    )
    #expect(
      key(settings("batch_jsonl", .flat))
        == "batch_jsonl/miniticker-2026-11-21T05-13-20.123456Z-0123456789abcdef-41-1040.jsonl.gz")
    #expect(key(settings("a", .flat), isCompressed: false).hasSuffix("-41-1040.jsonl"))
    #expect(ObjectKey.lease(logID: logID, settings: settings("a/b")) == "a/b/_logs/0123456789abcdef.json")
  }

  @Test(arguments: [
    ("/a/b/", "a/b/dt="), ("//a//", "a/dt="), ("", "dt="), ("/", "dt="), ("a//b", "a//b/dt="),
  ])
  func `slashes at the ends of the folder are trimmed`(folder: String, start: String) {
    #expect(key(settings(folder)).hasPrefix(start))
  }

  @Test func `an empty folder leaves no slash`() {
    #expect(ObjectKey.lease(logID: logID, settings: settings("")) == "_logs/0123456789abcdef.json")
  }

  @Test func `times that no year of four digits can say are still keys`() {
    for time in [Int64.min, Int64.max] {
      let key = ObjectKey.batch(
        offsets(1...1), firstReceivedAt: time, logID: logID, isCompressed: true, settings: settings("a"))
      #expect(key.hasPrefix(time < 0 ? "a/dt=0001-01-01/hour=00/" : "a/dt=9999-12-31/hour=23/"))
    }
  }
}
