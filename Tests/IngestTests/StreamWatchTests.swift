import TestSupport
import Testing
import WAL

@testable import Ingest

@Suite struct StreamWatchTests {
  private func ticks(_ stream: String, _ eventTimes: Int64?...) -> TickBatch {
    var batch = TickBatch()
    for time in eventTimes { batch.append(receivedAt: 1, eventTime: time, stream: stream, payload: "{}") }
    return batch
  }

  @Test func `a stream that delivers nothing for five minutes is named once`() {
    var watch = StreamWatch()
    watch.subscribed(["a", "b"], at: .seconds(10))
    watch.note(ticks("a", nil), at: .seconds(11))
    #expect(watch.review(at: .seconds(309)) == [])
    #expect(watch.review(at: .seconds(310)) == [.silent(stream: "b")])
    #expect(watch.review(at: .seconds(900)) == [])
  }

  @Test func `a stream is awaited anew on each connection, and named again only if it had delivered`() {
    var watch = StreamWatch()
    watch.subscribed(["a", "b"], at: .zero)
    watch.note(ticks("a", nil), at: .seconds(1))
    #expect(watch.review(at: .seconds(300)) == [.silent(stream: "b")])
    watch.subscribed(["a", "b"], at: .seconds(400))
    #expect(watch.review(at: .seconds(699)) == [])
    #expect(watch.review(at: .seconds(700)) == [.silent(stream: "a")])
    watch.note(ticks("b", nil), at: .seconds(701))
    watch.subscribed(["b"], at: .seconds(702))
    #expect(watch.review(at: .seconds(1_002)) == [.silent(stream: "b")])
  }

  @Test func `an array stream delivers under other names`() {
    var watch = StreamWatch()
    watch.subscribed(["!miniTicker@arr", "!ticker@arr"], at: .zero)
    watch.note(ticks("btcusdt@miniTicker", 1), at: .seconds(1))
    watch.noteArray("!miniTicker@arr", at: .seconds(1))
    #expect(watch.review(at: .seconds(300)) == [.silent(stream: "!ticker@arr")])
  }

  @Test func `what is off the list is not awaited`() {
    var watch = StreamWatch()
    watch.subscribed(["a", "b"], at: .zero)
    watch.unsubscribed(["a"])
    #expect(watch.review(at: .seconds(300)) == [.silent(stream: "b")])
  }

  /// Streams that deliver each second, up to the second given, and another that goes on.
  private func delivering(
    _ stream: String, until end: Int, _ watch: inout StreamWatch, every pause: Int = 1
  ) {
    watch.subscribed([stream, "other"], at: .zero)
    for second in 1...end {
      if second.isMultiple(of: pause) { watch.note(ticks(stream, nil), at: .seconds(second)) }
      watch.note(ticks("other", nil), at: .seconds(second))
    }
  }

  private func othersDeliver(_ seconds: ClosedRange<Int>, _ watch: inout StreamWatch) {
    for second in seconds { watch.note(ticks("other", nil), at: .seconds(second)) }
  }

  @Test func `a stream that stops while others deliver is named after five minutes, once until it delivers`()
  {
    var watch = StreamWatch()
    delivering("a", until: 20, &watch)
    othersDeliver(21...319, &watch)
    #expect(watch.review(at: .seconds(319)) == [])
    othersDeliver(320...320, &watch)
    #expect(watch.review(at: .seconds(320)) == [.stopped(stream: "a", since: .seconds(20))])
    // A new connection, on which it does not come either, is no news.
    watch.subscribed(["a"], at: .seconds(330))
    othersDeliver(321...700, &watch)
    #expect(watch.review(at: .seconds(700)) == [])
    watch.note(ticks("a", nil), at: .seconds(701))
    othersDeliver(702...20_000, &watch)
    #expect(watch.review(at: .seconds(20_000)) == [.stopped(stream: "a", since: .seconds(701))])
  }

  @Test func `an array stream that stops is named like any other`() {
    var watch = StreamWatch()
    watch.subscribed(["!miniTicker@arr"], at: .zero)
    for second in 1...20 { watch.noteArray("!miniTicker@arr", at: .seconds(second)) }
    othersDeliver(21...320, &watch)
    #expect(watch.review(at: .seconds(320)) == [.stopped(stream: "!miniTicker@arr", since: .seconds(20))])
  }

  @Test func `a stream with long pauses has stopped after ten times the longest`() {
    var watch = StreamWatch()
    delivering("a", until: 1_000, &watch, every: 100)
    othersDeliver(1_001...2_000, &watch)
    #expect(watch.review(at: .seconds(2_000)) == [])
    othersDeliver(2_001...2_001, &watch)
    #expect(watch.review(at: .seconds(2_001)) == [.stopped(stream: "a", since: .seconds(1_000))])
  }

  @Test func `of nine ticks nobody can tell what a long pause is`() {
    var watch = StreamWatch()
    delivering("a", until: 9, &watch)
    othersDeliver(10...5_000, &watch)
    #expect(watch.review(at: .seconds(5_000)) == [])
  }

  @Test func `what all streams are silent for is not one's own silence, and no pause of theirs`() {
    var watch = StreamWatch()
    delivering("a", until: 20, &watch)
    #expect(watch.review(at: .seconds(400)) == [])
    // The others come back first.
    othersDeliver(1_000...1_100, &watch)
    #expect(watch.review(at: .seconds(1_100)) == [])
    watch.note(ticks("a", nil), at: .seconds(1_101))
    othersDeliver(1_102...1_401, &watch)
    #expect(watch.review(at: .seconds(1_401)) == [.stopped(stream: "a", since: .seconds(1_101))])
  }

  @Test func `without a connection no stream has stopped`() {
    var watch = StreamWatch()
    delivering("a", until: 20, &watch)
    watch.cutOff(["a"])
    othersDeliver(21...600, &watch)
    #expect(watch.review(at: .seconds(600)) == [])
    watch.subscribed(["a"], at: .seconds(600))
    watch.note(ticks("a", nil), at: .seconds(601))
    othersDeliver(602...901, &watch)
    #expect(watch.review(at: .seconds(901)) == [.stopped(stream: "a", since: .seconds(601))])
  }

  @Test func `connections that come and go do not begin the wait again`() {
    var watch = StreamWatch()
    for second in stride(from: 0, to: 300, by: 30) {
      watch.subscribed(["a"], at: .seconds(second))
      watch.cutOff(["a"])
    }
    #expect(watch.review(at: .seconds(299)) == [])
    #expect(watch.review(at: .seconds(300)) == [.silent(stream: "a")])
  }

  @Test func `late is what is older than the newest of its stream`() {
    var watch = StreamWatch()
    watch.note(ticks("a", 5, 5, 4, 6, nil, 5), at: .zero)
    watch.note(ticks("b", 1), at: .zero)
    #expect(watch.late == 2)
  }

  @Test func `a stream whose event time stands still while ticks come is named once, until it moves`() {
    var watch = StreamWatch()
    watch.note(ticks("a", 7), at: .zero)
    // Quiet for long, then the same event again: nothing to be named yet.
    watch.note(ticks("a", 7), at: .seconds(1_000))
    #expect(watch.review(at: .seconds(2_000)) == [])
    watch.note(ticks("a", 6), at: .seconds(1_299))
    #expect(watch.review(at: .seconds(2_000)) == [])
    watch.note(ticks("a", 7), at: .seconds(1_300))
    #expect(watch.review(at: .seconds(2_000)) == [.standing(stream: "a", eventTime: 7)])
    watch.note(ticks("a", 7), at: .seconds(2_100))
    #expect(watch.review(at: .seconds(2_100)) == [])
    watch.note(ticks("a", 8, 8), at: .seconds(3_000))
    watch.note(ticks("a", 8), at: .seconds(3_300))
    #expect(watch.review(at: .seconds(3_300)) == [.standing(stream: "a", eventTime: 8)])
  }

  @Test func `ticks without an event time do not stand still`() {
    var watch = StreamWatch()
    watch.note(ticks("a", nil), at: .zero)
    watch.note(ticks("a", nil), at: .seconds(1_000))
    #expect(watch.review(at: .seconds(1_000)) == [])
  }

  @Test func `more streams than are watched do no harm`() {
    var watch = StreamWatch(limits: .init(streams: 3))
    watch.subscribed(["a", "b", "c", "d"], at: .zero)
    for number in 0..<100 { watch.note(ticks("x\(number)", 2, 1), at: .zero) }
    watch.note(ticks("c", 2, 1), at: .zero)
    #expect(watch.late == 1)
    #expect(watch.review(at: .seconds(300)) == [.silent(stream: "a"), .silent(stream: "b")])
  }

  @Test func `what is proven is counted by kind of stream, from when ids are followed`() throws {
    var watch = StreamWatch(limits: .init(streams: 5))
    watch.note(ticks("a@depth", 1, 2), at: .zero)
    watch.proven("a@depth")
    watch.note(ticks("a@depth", 3, 4, 5), at: .zero)
    watch.note(ticks("b@depth@100ms", 1), at: .zero)
    watch.note(ticks("b@depth5", 1), at: .zero)
    watch.proven("c@trade")
    watch.note(ticks("c@trade", 1), at: .zero)
    watch.subscribed(["d@trade", "beyond@trade"], at: .zero)
    watch.note(ticks("beyond@trade", 1), at: .zero)
    func texts() -> [String] {
      watch.completeness().map {
        "\($0.name) \($0.provenStreams)/\($0.streams) \($0.provenTicks)/\($0.ticks)"
      }
    }
    #expect(texts() == ["depth 1/2 3/6", "aggTrade 0/0 0/0", "trade 1/1 1/1", "others 0/1 0/2"])
    watch.notProven("a@depth")
    watch.note(ticks("a@depth", 6), at: .zero)
    #expect(texts().first == "depth 0/2 0/7")
  }

  @Test func `the account is written every five seconds, and at the end if it is behind`() {
    var account = CompletenessAccount(since: 7)
    let watch = StreamWatch()
    #expect(account.due(of: watch, at: .seconds(1), utc: 8)?.since == 7)
    #expect(account.last(of: watch, utc: 9) == nil)
    #expect(account.due(of: watch, at: .seconds(5.9), utc: 9) == nil)
    #expect(account.due(of: watch, at: .seconds(6), utc: 10)?.at == 10)
    #expect(account.due(of: watch, at: .seconds(7), utc: 11) == nil)
    #expect(account.last(of: watch, utc: 12)?.at == 12)
    #expect(account.last(of: watch, utc: 13) == nil)
  }

  @Test(arguments: 1...10 as ClosedRange<UInt64>) func `names and numbers belong together`(_ seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var table = StreamTable(limit: 2_000)
    var naive: [String: Int] = [:]
    for _ in 0..<10_000 {
      let name = "s\(Int.random(in: 0..<3_000, using: &random))"
      let isFull = naive.count == 2_000
      if naive[name] == nil, !isFull { naive[name] = naive.count }
      #expect(table.number(of: name) == naive[name])
    }
    #expect(table.count == naive.count)
    for (name, number) in naive { #expect(table.name(number) == name) }
  }
}
