import Base
import TestSupport
import Testing

@testable import tickwal

@Suite(.timeLimit(.minutes(1))) struct KeyLookTests {
  @Test func `keys that can never be had end the start`() async throws {
    let look = KeyLook { throw CommandFailure(.badValue, "no such profile") }
    let running = Task { try await look.run() }
    let failure = await #expect(throws: CommandFailure.self) { try await look.beginning() }
    #expect(failure?.exitCode == .badValue)
    await #expect(throws: CommandFailure.self) { try await running.value }
  }

  @Test func `a source that hangs is not waited for`() async throws {
    let mayEnd = Latch<Void>()
    let look = KeyLook { try await mayEnd.wait() }
    async let running: Void = look.run()
    try await look.beginning()
    mayEnd.set(())
    try await running
  }
}
