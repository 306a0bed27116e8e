import Foundation
import TestSupport
import Testing

/// `TICKWAL_FAILING_CALLS=all` makes each allocation fail; otherwise each of the first 25 and then some.
@Suite struct AllocationFailureTests {
  @Test func `no failed allocation loses what was confirmed`() async throws {
    let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent("AllocationFailures").path
    let isEvery = ProcessInfo.processInfo.environment["TICKWAL_FAILING_CALLS"] == "all"
    try await withTemporaryFolder { folder in
      let result = try runProgram(program, [folder, isEvery ? "1" : "61"])
      #expect(result.status == 0, "\(result.output) \(result.errors)")
      let tried = try #require(result.output.split(separator: " ").first.flatMap { Int($0) })
      #expect(tried > 60, "\(result.output)")
    }
  }
}
