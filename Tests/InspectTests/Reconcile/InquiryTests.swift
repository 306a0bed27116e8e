import AWS
import ShippingFixtures
import Synchronization
import TestSupport
import Testing

@testable import Inspect
@testable import Shippers

@Suite struct InquiryTests {
  @Test func `refusals end an inquiry and trouble that passes does not`() async throws {
    let clock = TestClock()
    let logs = RecordedLogs()
    let inquiry = Inquiry(
      attempts: Attempts(clock: clock.shipping, trouble: "trouble", over: "over", logger: logs.logger))
    let calls = Mutex(0)
    let error = await #expect(throws: AWSError.self) {
      try await inquiry("look", "k") {
        let number = calls.withLock { calls in
          calls += 1
          return calls
        }
        throw number <= 20 ? answer(503, .transient) : answer(403, .credentialsRefused)
      }
    }
    #expect(error?.status == 403)
    #expect(calls.withLock { $0 } == 25)
  }

  private func answer(_ status: Int, _ kind: AWSError.Kind) -> AWSError {
    AWSError("Some", kind, operation: "HeadObject", status: status, message: "scripted")
  }
}
