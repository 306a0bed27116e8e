import Base
import Testing

@Suite struct LogThrottleTests {
  @Test func `one line a period passes and says how many did not`() {
    var throttle = LogThrottle(period: .seconds(60))
    let passed = [0, 1, 59, 60, 61, 200].map { throttle.pass(at: .seconds($0)) }
    #expect(passed == [0, nil, nil, 2, nil, 1])
  }
}
