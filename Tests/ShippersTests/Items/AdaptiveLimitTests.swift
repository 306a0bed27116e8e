import ShippingFixtures
import TestSupport
import Testing

@testable import Shippers

@Suite struct AdaptiveLimitTests {
  @Test func `it starts at the maximum and never leaves its bounds`() {
    var random = SplitMix64.forTest()
    for maximum in [1, 2, 3, 20, 1_000] {
      var limit = AdaptiveLimit(maximum: maximum)
      #expect(limit.value == maximum)
      for _ in 0..<10_000 {
        let before = limit.value
        if Int.random(in: 0..<10, using: &random) == 0 {
          limit.throttled()
          #expect(limit.value == before || limit.value == max(1, before / 2))
        } else {
          limit.succeeded()
          #expect(limit.value == before || limit.value == before + 1)
        }
        #expect((1...maximum).contains(limit.value))
      }
    }
  }

  @Test func `a wave of throttles halves once`() {
    var limit = AdaptiveLimit(maximum: 20)
    for _ in 0..<20 { limit.throttled() }
    #expect(limit.value == 10)
    for _ in 0..<10 { limit.throttled() }
    #expect(limit.value == 5)
  }

  /// Answers of either kind to requests from before the halving use up the same allowance.
  @Test func `throttles after a mixed wave count again`() {
    var limit = AdaptiveLimit(maximum: 20)
    limit.throttled()
    for _ in 0..<10 { limit.succeeded() }
    for _ in 0..<9 { limit.throttled() }
    #expect(limit.value == 10)
    limit.throttled()
    #expect(limit.value == 5)
  }

  @Test func `it recovers by one for each full round`() {
    var limit = AdaptiveLimit(maximum: 4)
    for _ in 0..<4 { limit.throttled() }
    #expect(limit.value == 2)
    limit.succeeded()
    #expect(limit.value == 2)
    limit.succeeded()
    #expect(limit.value == 3)
    for _ in 0..<3 { limit.succeeded() }
    #expect(limit.value == 4)
    for _ in 0..<100 { limit.succeeded() }
    #expect(limit.value == 4)
  }

  @Test func `a table that always throttles gets one at a time`() {
    var limit = AdaptiveLimit(maximum: 20)
    for _ in 0..<100 { limit.throttled() }
    #expect(limit.value == 1)
  }
}

@Suite struct RefusalPolicyTests {
  private let item = ItemRefusal(cause: "bad number", blame: .item)
  private let keys = ItemRefusal(cause: "key element", blame: .keys)

  private func isHold(_ verdict: RefusalPolicy.Verdict) -> Bool { verdict != .deadLetter }

  @Test func `one bad item under right keys is a dead letter`() {
    var policy = RefusalPolicy()
    #expect(policy.refused(item, keysAreRight: true) == .deadLetter)
  }

  @Test func `wrong keys or a complaint about them hold`() {
    var policy = RefusalPolicy()
    #expect(isHold(policy.refused(item, keysAreRight: false)))
    #expect(isHold(policy.refused(keys, keysAreRight: true)))
  }

  @Test func `ten in a row hold until one is accepted`() {
    var policy = RefusalPolicy()
    for _ in 1..<10 { #expect(policy.refused(item, keysAreRight: true) == .deadLetter) }
    #expect(isHold(policy.refused(item, keysAreRight: true)))
    #expect(isHold(policy.refused(item, keysAreRight: true)))
    #expect(policy.accepted() == 9)
    #expect(policy.refused(item, keysAreRight: true) == .deadLetter)
    // Without a hold nothing was the table's fault.
    #expect(policy.accepted() == 0)
  }

  @Test func `an index holds at the first, and a value of the item's never`() {
    var policy = RefusalPolicy()
    #expect(isHold(policy.refused(ItemRefusal(cause: "index", blame: .index), keysAreRight: true)))
    let value = ItemRefusal(cause: "NaN", blame: .value)
    for _ in 1...1_500 { #expect(policy.refused(value, keysAreRight: true) == .deadLetter) }
    #expect(isHold(policy.refused(value, keysAreRight: false)))
    #expect(policy.accepted() == 0)
  }

  @Test func `in any order its verdict is the model's`() {
    var random = SplitMix64.forTest()
    var policy = RefusalPolicy()
    var inARow = 0
    for _ in 0..<20_000 {
      if Int.random(in: 0..<8, using: &random) == 0 {
        _ = policy.accepted()
        inARow = 0
        continue
      }
      let refusal = Int.random(in: 0..<20, using: &random) == 0 ? keys : item
      let keysAreRight = Int.random(in: 0..<20, using: &random) > 0
      if refusal.blame == .item, keysAreRight { inARow += 1 }
      let mayDie = refusal.blame == .item && keysAreRight && inARow < 10
      #expect(isHold(policy.refused(refusal, keysAreRight: keysAreRight)) == !mayDie)
    }
  }
}
