import Base
import Testing

@testable import Base

@Suite struct BackoffTests {
  /// Gives the same number over and over.
  struct Constant: RandomNumberGenerator {
    var value: UInt64
    mutating func next() -> UInt64 { value }
  }

  @Test(arguments: [
    (1, 0.05), (2, 0.1), (3, 0.2), (4, 0.4), (9, 12.8), (10, 20), (11, 20), (64, 20), (1_000_000, 20),
  ])
  func `the longest wait doubles up to the cap`(attempt: Int, seconds: Double) {
    var high = Constant(value: .max)
    let longest = Backoff().delay(afterAttempt: attempt, using: &high) / Duration.seconds(1)
    #expect(abs(longest - seconds) < 0.001)
    var low = Constant(value: 0)
    #expect(Backoff().delay(afterAttempt: attempt, using: &low) < .milliseconds(1))
  }

  @Test func `waits are spread over the whole range`() {
    var generator = SystemRandomNumberGenerator()
    let waits = (0..<2_000).map { _ in
      Backoff().delay(afterAttempt: 20, using: &generator) / Duration.seconds(20)
    }
    #expect(waits.allSatisfy { (0...1).contains($0) })
    for quarter in 0..<4 {
      let share = waits.filter { Int($0 * 4) == quarter }.count
      #expect((350...650).contains(share))
    }
  }

  @Test func `what the server asks for is waited at least, within reason`() {
    var high = Constant(value: .max)
    let delay = Backoff().delay(afterAttempt: 1, retryAfter: .seconds(7), using: &high)
    #expect(delay >= .seconds(7) && delay < .seconds(7.1))
    #expect(Backoff().delay(afterAttempt: 1, retryAfter: .seconds(1_000_000), using: &high) < .seconds(301))
  }
}
