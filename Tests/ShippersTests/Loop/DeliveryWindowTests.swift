import ShippingFixtures
import TestSupport
import Testing
import WAL

@testable import Shippers

@Suite struct DeliveryWindowTests {
  @Test func `nothing confirmed leaves nothing to commit`() {
    var window = DeliveryWindow<Int>(next: offset(5))
    #expect(window.takeConfirmed() == nil)
    window.start(offsets(5...7))
    #expect(window.takeConfirmed() == nil)
    #expect(window.next == offset(5))
    #expect(window.end == offset(8))
  }

  @Test func `a confirmed delivery waits for those before it`() throws {
    var window = DeliveryWindow<Int>(next: offset(1))
    for range in [offsets(1...1), offsets(2...4), offsets(5...5)] { window.start(range) }
    window.confirm(offsets(2...4), 2)
    window.confirm(offsets(5...5), 3)
    #expect(window.takeConfirmed() == nil)
    #expect(window.unconfirmed == 1)
    #expect(window.count == 3)
    window.confirm(offsets(1...1), 1)
    let confirmed = window.takeConfirmed()
    let taken = try #require(confirmed)
    #expect(taken.next == offset(6))
    #expect(taken.confirmations == [1, 2, 3])
    #expect(window.count == 0)
    #expect(window.end == offset(6))
  }

  /// Against the plainest model there is: a set of confirmed offsets and a walk from the first.
  @Test func `in any order of confirmations the prefix is the model's`() {
    var random = SplitMix64.forTest()
    for _ in 0..<50 {
      var window = DeliveryWindow<Int64>(next: .first)
      var onTheirWay: [OffsetRange] = []
      var confirmed: Set<Int64> = []
      var taken: [Int64] = []
      var started: [OffsetRange] = []
      for _ in 0..<2_000 {
        switch Int.random(in: 0..<8, using: &random) {
        case 0..<4:
          let range = window.end...window.end.advanced(by: Int.random(in: 0..<4, using: &random))
          window.start(range)
          onTheirWay.append(range)
          started.append(range)
        case 4..<7:
          guard let index = onTheirWay.indices.randomElement(using: &random) else { continue }
          let range = onTheirWay.remove(at: index)
          window.confirm(range, range.lowerBound.rawValue)
          for value in range.lowerBound.rawValue...range.upperBound.rawValue { confirmed.insert(value) }
        default:
          let before = window.next
          if let result = window.takeConfirmed() {
            taken += result.confirmations
            #expect(result.next > before)
          }
          var expected = Offset.first
          while confirmed.contains(expected.rawValue) { expected = expected.next }
          #expect(window.next == expected)
        }
        #expect(window.unconfirmed == onTheirWay.count)
        #expect(window.count == started.count - taken.count)
      }
      #expect(taken == started.prefix(taken.count).map(\.lowerBound.rawValue))
    }
  }
}

@Suite struct LoopStateTests {
  private func prepared(_ value: Int64) -> Prepared<Int64> {
    Prepared(range: offsets(value...value), delivery: value)
  }

  @Test func `one fetch runs at a time and only while little waits`() {
    var state = LoopState<Int64>()
    #expect(state.shouldFetch(readAhead: 1))
    state.isFetching = true
    #expect(!state.shouldFetch(readAhead: 1))
    state.fetched([prepared(1), prepared(2)])
    #expect(!state.shouldFetch(readAhead: 2))
    #expect(state.takeReady()?.delivery == 1)
    #expect(state.shouldFetch(readAhead: 2))
    state.isFetching = true
    state.fetched([prepared(3)])
    #expect(state.takeReady()?.delivery == 2)
    #expect(state.takeReady()?.delivery == 3)
    #expect(state.takeReady() == nil)
  }

  @Test(arguments: [
    // At a rate as on most days a commit waits for one of ticks; not in a rush, nor when the shippers are to end.
    (1, 8, 1_000, false, WriteUrgency.patient), (249, 500, 1_000, false, .patient),
    (250, 500, 1_000, false, .usual), (1, 8, 1_000, true, .usual),
    // More than half of what may be uncommitted is: soon nothing could start.
    (1, 501, 1_000, false, .urgent), (501, 501, 1_000, true, .urgent), (1, 1, 4, false, .usual),
    (1, 3, 4, false, .urgent), (1, 1, 1, false, .urgent),
  ])
  func `a commit waits as long as it keeps nobody from starting`(
    _ deliveries: Int, _ uncommitted: Int, _ limit: Int, _ isEnding: Bool, _ expected: WriteUrgency
  ) {
    #expect(
      WriteUrgency.ofCommitting(deliveries, uncommitted: uncommitted, limit: limit, isEnding: isEnding)
        == expected)
  }

  @Test func `an empty fetch is the last`() {
    var state = LoopState<Int64>()
    state.isFetching = true
    state.fetched([])
    #expect(!state.shouldFetch(readAhead: 100))
  }

  @Test func `what is fetched comes out in order and once`() {
    var random = SplitMix64.forTest()
    var state = LoopState<Int64>()
    var made: Int64 = 0
    var taken: [Int64] = []
    for _ in 0..<5_000 {
      if state.shouldFetch(readAhead: Int.random(in: 1...20, using: &random)) {
        let page = (0..<Int64.random(in: 1...30, using: &random)).map { prepared(made + $0) }
        made += Int64(page.count)
        state.isFetching = true
        state.fetched(page)
      }
      for _ in 0..<Int.random(in: 0..<30, using: &random) {
        if let next = state.takeReady() { taken.append(next.delivery) }
      }
    }
    #expect(taken == Array(0..<Int64(taken.count)))
    #expect(taken.count > 5_000)
  }
}
