import Base
import ShippingFixtures
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite(.timeLimit(.minutes(1))) struct TapTests {
  private struct Enough: Error {}

  /// What a tap writes and tells, until it is idle for the n-th time.
  private func follow(
    _ tap: Tap, from first: Int64, idle times: Int = 1, atIdle: (Int) async throws -> Void = { _ in },
    atWrite: () async throws -> Void = {}
  ) async throws -> (lines: [UInt8], news: [Tap.News]) {
    var lines: [UInt8] = []
    var news: [Tap.News] = []
    var idle = 0
    do {
      try await tap.follow(
        from: offset(first),
        write: {
          lines += $0
          try await atWrite()
        }, tell: { news.append($0) },
        idle: {
          idle += 1
          try await atIdle(idle)
          if idle == times { throw Enough() }
        })
    } catch is Enough {}
    return (lines, news)
  }

  private func tap(
    _ reader: LogReader, _ form: TickForm = .row, streams: [String] = [], count: Int? = nil
  ) -> Tap {
    Tap(reader: reader, form: form, streams: StreamPatterns(streams), count: count)
  }

  @Test func `ticks are shown from an offset on, and those that come while it waits`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(25))
      try await rig.withReader { reader in
        let shown = try await follow(
          tap(reader), from: 20, idle: 3,
          atIdle: { if $0 == 2 { try await rig.log.append(ticks(5, from: 26)) } })
        #expect(numbers(inRows: shown.lines) == Array(20...30))
        #expect(shown.news.isEmpty)
      }
    }
  }

  @Test func `a count ends it in the middle of a page, without another look at the log`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(2_500))
      try await rig.withReader { reader in
        for count in [1, 999, 1_000, 1_001, 2_500] {
          let shown = try await follow(
            tap(reader, count: count), from: 1, atIdle: { _ in Issue.record("it went on") })
          #expect(numbers(inRows: shown.lines) == (1...Int64(count)).map { $0 })
        }
      }
    }
  }

  @Test func `a payload is a line, whatever stands between its parts`() async throws {
    try await ShippingRig.with { rig in
      var batch = TickBatch()
      batch.append(receivedAt: someTime, eventTime: nil, stream: "a@t", payload: "{\"n\":\r\n1}")
      batch.append(receivedAt: someTime, eventTime: nil, stream: "b@t", payload: "{\"n\":2}")
      try await rig.log.append(batch)
      try await rig.withReader { reader in
        let shown = try await follow(tap(reader, .payload), from: 1)
        #expect(String(decoding: shown.lines, as: UTF8.self) == "{\"n\":  1}\n{\"n\":2}\n")
        let some = try await follow(tap(reader, .payload, streams: ["b@*", "c@*"], count: 1), from: 1)
        #expect(String(decoding: some.lines, as: UTF8.self) == "{\"n\":2}\n")
      }
    }
  }

  @Test func `what is trimmed before it is read is told, and it goes on at the oldest tick kept`()
    async throws
  {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3_000))
      try await rig.withReader { reader in
        var isTrimmed = false
        let shown = try await follow(
          tap(reader), from: 1,
          atWrite: {
            if !isTrimmed { try await rig.log.write { try $0.setMeta("trimmed", "1900") } }
            isTrimmed = true
          })
        #expect(shown.news == [.trimmed(offsets(1_001...1_900))])
        #expect(numbers(inRows: shown.lines) == Array(1...1_000) + Array(1_901...3_000))
      }
    }
  }

  @Test func `everything trimmed is told, and it waits for the next tick`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(10))
      try await rig.log.write { try $0.setMeta("trimmed", "10") }
      try await rig.withReader { reader in
        let shown = try await follow(
          tap(reader), from: 4, idle: 2,
          atIdle: { if $0 == 1 { try await rig.log.append(ticks(1, from: 11)) } })
        #expect(shown.news == [.trimmed(offsets(4...10))])
        #expect(numbers(inRows: shown.lines) == [11])
      }
    }
  }

  @Test func `what cannot be shown is told and the rest is shown`() async throws {
    try await ShippingRig.with { rig in
      try await rig.log.append(ticks(3))
      var batch = TickBatch()
      batch.append(receivedAt: someTime, eventTime: nil, stream: "a@t", payload: "no JSON")
      try await rig.log.append(batch)
      try await rig.damage([2])
      try await rig.withReader { reader in
        let shown = try await follow(tap(reader), from: 1)
        #expect(numbers(inRows: shown.lines) == [1, 3])
        let unreadable = shown.news.compactMap { (news) -> Int64? in
          if case .unreadable(let offset, _) = news { offset.rawValue } else { nil }
        }
        #expect(unreadable == [2, 4])
      }
    }
  }

  @Test func `it begins with the next tick, or with one that is there`() async throws {
    try await ShippingRig.with { rig in
      try await rig.withReader { reader in
        let tap = tap(reader)
        #expect(try await tap.start(at: nil) == offset(1))
        #expect(try await tap.start(at: offset(1)) == offset(1))
        try await rig.log.append(ticks(10))
        try await rig.log.write { try $0.setMeta("trimmed", "4") }
        #expect(try await tap.start(at: nil) == offset(11))
        for good in [5, 10, 11] {
          #expect(try await tap.start(at: offset(Int64(good))) == offset(Int64(good)))
        }
        for bad in [1, 4, 12] {
          let error = await #expect(throws: LogError.self) { _ = try await tap.start(at: offset(Int64(bad))) }
          #expect(error?.code == .notFound)
          #expect(error?.description.contains("cannot begin at offset \(bad): the log has 5 to 10") == true)
        }
      }
    }
  }

  @Test(
    arguments: [
      ([], "btcusdt@trade", true), (["btcusdt@*"], "btcusdt@trade", true),
      (["btcusdt@*"], "btcusdt@kline_1m", true),
      (["btcusdt@*"], "xbtcusdt@trade", false), (["*@trade"], "btcusdt@trade", true),
      (["*@trade"], "btcusdt@tradeX", false), (["BTCUSDT@*"], "btcusdt@trade", false),
      (["?tcusdt@trade"], "btcusdt@trade", true),
      (["[be]t?usdt@trade"], "ethusdt@trade", true), (["a@*", "*@depth@100ms"], "b@depth@100ms", true),
      (["!miniTicker@arr"], "!miniTicker@arr", true), (["*"], "币安人生usdt@trade", true),
      (["btc"], "btcusdt@trade", false),
    ] as [([String], String, Bool)])
  func `wildcards are those of files`(patterns: [String], name: String, fits: Bool) {
    #expect(StreamPatterns(patterns).match(name.utf8) == fits)
  }
}
