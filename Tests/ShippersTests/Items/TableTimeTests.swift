import TestSupport
import Testing

@testable import Shippers

@Suite struct TableTimeTests {
  private static let now: Int64 = 1_795_238_000
  private static let year: Int64 = 366 * 86_400

  /// Asks as often as it is told to, of a table that says this.
  private func verdict(
    _ time: inout TableTime, ttl: Int64, own: Int64 = now, elapsed: Int64 = 0, _ date: (Int) -> Int64?
  ) -> (verdict: TableTime.Verdict, asked: Int) {
    var asked = 0
    while true {
      let verdict = time.verdict(ttl: ttl, own: own, elapsed: elapsed)
      guard verdict == .ask else { return (verdict, asked) }
      asked += 1
      if asked > 20 { return (.wait, asked) }
      _ = time.asked(date(asked), own: own, elapsed: elapsed)
    }
  }

  @Test func `a tick that our clock calls alive is not asked about before the table was heard`() {
    var time = TableTime()
    #expect(time.verdict(ttl: Self.now + 1, own: Self.now, elapsed: 0) == .alive)
  }

  @Test func `a table that was not heard yet is asked once where our clock calls a TTL over`() {
    var time = TableTime()
    #expect(verdict(&time, ttl: Self.now) { _ in Self.now + 30 } == (.passed, 1))
    #expect(verdict(&time, ttl: Self.now) { _ in nil } == (.passed, 0))
  }

  @Test func `one that is asked already is waited for`() {
    var time = TableTime()
    #expect(time.verdict(ttl: Self.now, own: Self.now, elapsed: 0) == .ask)
    #expect(time.verdict(ttl: Self.now, own: Self.now, elapsed: 0) == .wait)
    time.abandoned()
    #expect(time.verdict(ttl: Self.now, own: Self.now, elapsed: 0) == .ask)
  }

  @Test(arguments: [Self.year, -Self.year, 3_600])
  func `one wrong Date changes nothing, whenever it comes`(error: Int64) {
    for wrong in 0..<4 {
      var time = TableTime()
      for second in Int64(0)..<4 {
        time.heard(Self.now + second + (second == wrong ? error : 0), own: Self.now + second, elapsed: second)
        let found = verdict(&time, ttl: Self.now + 86_400, own: Self.now + second, elapsed: second) { _ in
          Self.now + second
        }
        #expect(found.verdict == .alive)
      }
    }
  }

  @Test func `two wrong ones are not believed before the table was asked again`() {
    var time = TableTime()
    for _ in 1...2 { time.heard(Self.now + Self.year, own: Self.now, elapsed: 0) }
    let found = verdict(&time, ttl: Self.now + 86_400) { _ in Self.now }
    #expect(found.verdict == .alive && found.asked == 2)
    #expect(verdict(&time, ttl: Self.now + 86_400) { _ in Self.now } == (.alive, 0))
  }

  @Test func `what the table still says when it is asked again holds for a minute`() {
    var time = TableTime()
    let ttl = Self.now + 86_400
    for _ in 1...2 { time.heard(Self.now + Self.year, own: Self.now, elapsed: 0) }
    #expect(verdict(&time, ttl: ttl, elapsed: 1) { _ in Self.now + Self.year + 1 } == (.passed, 1))
    #expect(verdict(&time, ttl: ttl, elapsed: 60) { _ in nil } == (.passed, 0))
    #expect(verdict(&time, ttl: ttl, elapsed: 61) { _ in Self.now + Self.year + 61 } == (.passed, 1))
  }

  @Test func `our clock alone gives nothing up, not even one that jumps while it is used`() {
    var time = TableTime()
    time.heard(Self.now, own: Self.now, elapsed: 0)
    #expect(
      verdict(&time, ttl: Self.now + 86_400, own: Self.now + Self.year, elapsed: 5) { _ in Self.now } == (
        .alive, 0
      ))
  }

  @Test func `a table that tells no time is judged by our clock and asked each minute`() {
    var time = TableTime()
    var asked = 0
    for second in Int64(0)..<180 {
      #expect(
        verdict(&time, ttl: Self.now, elapsed: second) { _ in
          asked += 1
          return nil
        }.verdict == .passed)
      #expect(verdict(&time, ttl: Self.now + 1, elapsed: second) { _ in nil } == (.alive, 0))
    }
    #expect(asked == 3)
  }

  @Test func `answers that contradict one another end the asking, and nothing is given up`() {
    var time = TableTime()
    let found = verdict(&time, ttl: Self.now) { Self.now + Int64($0) * 10_000 }
    #expect(found == (.alive, 3))
    #expect(verdict(&time, ttl: Self.now + 1) { Self.now + Int64($0) * 77_777 } == (.alive, 0))
  }

  /// Whatever one answer in ten says, and whatever our clock does, nothing that lives is given up, and it ends.
  @Test func `at random, what lives by the true time is never given up`() {
    var random = SplitMix64.forTest()
    for _ in 0..<300 {
      var time = TableTime()
      var lastWasWrong = false
      let skew = Int64.random(in: -3...3, using: &random) * 86_400
      func answer(_ second: Int64) -> Int64 {
        lastWasWrong = !lastWasWrong && Int.random(in: 0..<10, using: &random) == 0
        return Self.now + second
          + (lastWasWrong ? Int64.random(in: -Self.year...Self.year, using: &random) : 0)
      }
      for second in Int64(0)..<100 {
        time.heard(answer(second), own: Self.now + second + skew, elapsed: second)
        let found = verdict(
          &time, ttl: Self.now + 10_000, own: Self.now + second + skew, elapsed: second
        ) { _ in answer(second) }
        #expect(found.verdict == .alive)
        #expect(found.asked <= 6)
      }
    }
  }
}
