import TestSupport
import Testing

@testable import Ingest
@testable import WAL

/// Gaps as a log would have them after the changes.
private struct Rows {
  struct Row: Equatable {
    var startedAt: Int64
    var endedAt: Int64?
    var streams: [String]
    var detail: String?
  }

  private var ids: [ObjectIdentifier: Int] = [:]
  private var kept: [OpenGaps] = []
  var rows: [Row] = []

  mutating func apply(_ changes: [GapChange]) {
    for change in changes {
      switch change {
      case .open(let startedAt, let cause, let streams, let detail, let gaps):
        #expect(cause == .unsubscribed)
        // As long as it is kept no other one has its identity.
        kept.append(gaps)
        ids[ObjectIdentifier(gaps)] = rows.count
        rows.append(Row(startedAt: startedAt, streams: streams, detail: detail))
      case .close(let endedAt, let gaps):
        guard let id = ids[ObjectIdentifier(gaps)] else { continue }
        #expect(rows[id].endedAt == nil)
        rows[id].endedAt = endedAt
      default: Issue.record("another change")
      }
    }
  }
}

@Suite struct StreamGapsTests {
  private func row(_ startedAt: Int64, _ endedAt: Int64?, _ streams: String..., detail: String? = nil)
    -> Rows.Row
  {
    Rows.Row(startedAt: startedAt, endedAt: endedAt, streams: streams, detail: detail)
  }

  @Test func `a refused request's gap ends with the first tick of any of its streams after the grant`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    log.apply(gaps.refused(["a", "b"], since: 10, detail: "{}"))
    log.apply(gaps.delivered(["c"], at: 11))
    gaps.granted(["a", "b"], at: 20, now: .seconds(1))
    #expect(log.rows == [row(10, nil, "a", "b", detail: "{}")])
    log.apply(gaps.delivered(["b"], at: 21))
    #expect(log.rows == [row(10, 21, "a", "b", detail: "{}")])
    #expect(gaps.isEmpty)
  }

  @Test func `of streams that are asked for in halves the gap of the bad one goes on alone`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    log.apply(gaps.refused(["a", "b", "c", "bad"], since: 10, detail: nil))
    gaps.granted(["a", "b"], at: 20, now: .seconds(1))
    log.apply(gaps.refused(["c", "bad"], since: 20, detail: nil))
    log.apply(gaps.refused(["bad"], since: 20, detail: nil))
    gaps.granted(["c"], at: 20, now: .seconds(1))
    log.apply(gaps.delivered(["a"], at: 30))
    log.apply(gaps.delivered(["c"], at: 40))
    #expect(log.rows == [row(10, 30, "a", "b", "bad", "c"), row(30, 40, "bad", "c"), row(40, nil, "bad")])
    log.apply(gaps.setStreams(["a", "b", "c"], at: 50))
    #expect(log.rows.last == row(40, 50, "bad"))
    #expect(gaps.isEmpty)
  }

  @Test func `streams that stay quiet after the grant were there since then, if others are delivered`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    log.apply(gaps.refused(["a"], since: 10, detail: nil))
    #expect(gaps.deadline == nil)
    gaps.granted(["a"], at: 20, now: .seconds(1))
    #expect(gaps.deadline == .seconds(61))
    log.apply(gaps.expire(at: .seconds(61), isDelivering: false))
    #expect(log.rows == [row(10, nil, "a")])
    #expect(gaps.deadline == .seconds(121))
    log.apply(gaps.expire(at: .seconds(121), isDelivering: true))
    #expect(log.rows == [row(10, 20, "a")])
  }

  @Test func `several requests whose streams stay quiet after their grants are over together`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    log.apply(gaps.refused(["a", "b"], since: 10, detail: nil))
    log.apply(gaps.refused(["c"], since: 11, detail: nil))
    gaps.granted(["a"], at: 20, now: .seconds(1))
    gaps.granted(["b"], at: 21, now: .seconds(2))
    gaps.granted(["c"], at: 22, now: .seconds(3))
    log.apply(gaps.expire(at: .seconds(100), isDelivering: true))
    #expect(log.rows == [row(10, 21, "a", "b"), row(11, 22, "c")])
    #expect(gaps.isEmpty)
  }

  @Test func `a stream that is withheld has a gap of its own from its last tick to its next`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    let patience = StreamGaps.patience
    gaps.doubt(
      [
        "a": .init(since: 5, patience: patience), "b": .init(since: 6, patience: patience),
        "c": .init(since: 7, patience: patience), "d": .init(since: 6, patience: .seconds(60)),
      ], at: .seconds(100))
    #expect(gaps.watermark == 5)
    log.apply(gaps.delivered(["b"], at: 8))
    log.apply(gaps.expire(at: .seconds(109), isDelivering: true))
    #expect(log.rows == [])
    log.apply(gaps.expire(at: .seconds(110), isDelivering: true))
    #expect(log.rows == [row(5, nil, "a"), row(7, nil, "c")])
    #expect(gaps.watermark == 6 && gaps.deadline == .seconds(160))
    log.apply(gaps.delivered(["d"], at: 9))
    #expect(gaps.watermark == nil)
    // The exchange says that it grants them; only a tick shows it.
    gaps.granted(["a", "c"], at: 20, now: .seconds(120))
    log.apply(gaps.expire(at: .seconds(1_000), isDelivering: true))
    log.apply(gaps.delivered(["a"], at: 30))
    #expect(log.rows == [row(5, 30, "a"), row(7, nil, "c")])
  }

  @Test func `a tick ends the gap of its stream though nobody has granted it`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    log.apply(gaps.refused(["a", "b"], since: 10, detail: nil))
    log.apply(gaps.delivered(["a"], at: 12))
    #expect(log.rows == [row(10, 12, "a", "b"), row(12, nil, "b")])
  }

  @Test func `a second refusal opens no second gap, and takes back a grant`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    log.apply(gaps.refused(["a"], since: 10, detail: nil))
    gaps.granted(["a"], at: 20, now: .seconds(1))
    log.apply(gaps.refused(["a"], since: 30, detail: nil))
    log.apply(gaps.expire(at: .seconds(1_000), isDelivering: true))
    #expect(log.rows == [row(10, nil, "a")])
  }

  @Test func `a connection that ends before its time shows what it should have had by then`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    gaps.doubt(
      [
        "a": .init(since: 5, patience: .seconds(10), expected: .seconds(2)),
        "b": .init(since: 6, patience: .seconds(100), expected: .seconds(20)),
      ], at: .seconds(100))
    #expect(
      gaps.connectionReplaced(completeUntil: 7, at: .seconds(105), patience: .seconds(4)).isEmpty)
    log.apply(gaps.connectionReplaced(completeUntil: 7, at: .seconds(106), patience: .seconds(4)))
    #expect(log.rows == [row(5, nil, "a")])
    log.apply(gaps.delivered(["a", "b"], at: 9))
    #expect(log.rows == [row(5, 9, "a")])
    #expect(gaps.isEmpty)
  }

  @Test func `whether a stream was there on a connection that was lost soon nobody knows`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    gaps.doubt(
      [
        "a": .init(since: 5, patience: .seconds(100), expected: .seconds(20)),
        "b": .init(since: 6, patience: .seconds(100), expected: .seconds(20)),
        "c": .init(since: 6, patience: .seconds(100), expected: .seconds(20)),
      ], at: .seconds(100))
    log.apply(gaps.delivered(["c"], at: 7))
    log.apply(gaps.connectionLost(completeUntil: 8, at: .seconds(101)))
    #expect(log.rows == [] && gaps.watermark == 5)
    gaps.doubt(
      [
        "a": .init(since: 10, patience: .seconds(100), expected: .seconds(20)),
        "b": .init(since: 10, patience: .seconds(20), expected: .seconds(2)),
      ], at: .seconds(102))
    log.apply(gaps.delivered(["a", "b", "c"], at: 11))
    #expect(log.rows == [row(5, 8, "a"), row(6, 8, "b")])
    #expect(gaps.isEmpty)
  }

  private func inherited(_ streams: String..., detail: String? = nil) -> Gap {
    Gap(
      id: .init(rawValue: 7), startedAt: 3, endedAt: nil, cause: .unsubscribed, streams: streams,
      detail: detail)
  }

  @Test func `of a gap that an earlier run left only what the slot carries is waited for`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    #expect(gaps.adopt(inherited("a", "gone", detail: "{}"), streams: ["a", "b"], isShared: false).isEmpty)
    gaps.granted(["a", "b"], at: 20, now: .seconds(1))
    let changes = gaps.delivered(["a"], at: 21)
    guard changes.count == 1, case .close(21, let ended) = changes[0] else {
      Issue.record("\(changes)")
      return
    }
    #expect(ended.all == [.init(rawValue: 7)])
    #expect(gaps.isEmpty)
  }

  @Test func `a slot that shares it goes on with a row of its own`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    log.apply(gaps.adopt(inherited("a", "b", detail: "{}"), streams: ["b"], isShared: true))
    #expect(log.rows == [row(3, nil, "b", detail: "{}")])
    gaps.granted(["b"], at: 20, now: .seconds(1))
    log.apply(gaps.delivered(["b"], at: 21))
    #expect(log.rows == [row(3, 21, "b", detail: "{}")])
  }

  @Test func `at the end what should have come is missing, and what might have been is up to there`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    gaps.doubt(
      [
        "a": .init(since: 5, patience: .seconds(10), expected: .seconds(2)),
        "b": .init(since: 6, patience: .seconds(100), expected: .seconds(20)),
      ], at: .seconds(100))
    log.apply(gaps.runEnds(at: .seconds(103)))
    #expect(log.rows == [row(5, nil, "a")])
    #expect(gaps.watermark == 6)
    log.apply(gaps.runEnded(leavingGapFrom: 9))
    #expect(log.rows == [row(5, nil, "a"), row(6, 9, "b")])
    #expect(gaps.watermark == nil)
  }

  @Test func `a stream that is there before the end needs no gap`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    gaps.doubt(["a": .init(since: 5, patience: .seconds(10), expected: .seconds(2))], at: .seconds(100))
    #expect(gaps.runEnds(at: .seconds(101)).isEmpty)
    #expect(gaps.delivered(["a"], at: 8).isEmpty)
    #expect(gaps.runEnded(leavingGapFrom: 9).isEmpty)
  }

  /// A deadline that stays when its time is over would be handled again and again, and nothing else would be done.
  @Test func `whatever happens, what was due is due no more when it was handled`() {
    var random = SplitMix64.forTest()
    let names = ["a", "b", "c", "d"]
    for _ in 0..<300 {
      var gaps = StreamGaps(quietAfter: .seconds(60))
      var now = Duration.seconds(1)
      for time in 1...60 as ClosedRange<Int64> {
        now += .seconds(Int.random(in: 0...20, using: &random))
        let some = names.filter { _ in Bool.random(using: &random) }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: _ = gaps.refused(some, since: time, detail: nil)
        case 1, 2: gaps.granted(some, at: time, now: now)
        case 3:
          gaps.doubt(
            Dictionary(uniqueKeysWithValues: some.map { ($0, .init(since: time, patience: .seconds(10))) }),
            at: now)
        case 4: _ = gaps.delivered(Set(some), at: time)
        default: _ = gaps.connectionLost(completeUntil: time, at: now)
        }
        if let deadline = gaps.deadline, deadline <= now {
          _ = gaps.expire(at: now, isDelivering: Bool.random(using: &random))
        }
        #expect(gaps.deadline.map { $0 > now } ?? true)
      }
    }
  }

  @Test func `a stream that is withheld after it was refused stays missing when its request's others come`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    var log = Rows()
    log.apply(gaps.refused(["a", "b", "c"], since: 10, detail: "{}"))
    gaps.granted(["a", "b", "c"], at: 20, now: .seconds(100))
    gaps.doubt(
      [
        "b": .init(since: 20, patience: .seconds(10)), "c": .init(since: 20, patience: .seconds(30)),
      ], at: .seconds(100))
    #expect(gaps.watermark == nil)
    // By then it is known of one, and not yet of the other.
    log.apply(gaps.expire(at: .seconds(110), isDelivering: false))
    log.apply(gaps.delivered(["a"], at: 40))
    #expect(log.rows == [row(10, 40, "a", "b", "c", detail: "{}"), row(40, nil, "b", detail: "{}")])
    #expect(gaps.watermark == 40)
    log.apply(gaps.expire(at: .seconds(130), isDelivering: true))
    #expect(log.rows.last == row(40, nil, "c"))
    log.apply(gaps.delivered(["b", "c"], at: 50))
    #expect(log.rows.suffix(2) == [row(40, 50, "b", detail: "{}"), row(40, 50, "c")])
  }

  @Test func `for a stream that is withheld nothing is ever due`() {
    var gaps = StreamGaps(quietAfter: .seconds(60))
    gaps.doubt(["a": .init(since: 5, patience: .seconds(10))], at: .seconds(100))
    _ = gaps.expire(at: .seconds(110), isDelivering: true)
    gaps.granted(["a"], at: 20, now: .seconds(120))
    #expect(gaps.deadline == nil)
  }
}
