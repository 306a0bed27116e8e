import Base
import Testing
import UnixSignals

@testable import tickwal

@Suite(.timeLimit(.minutes(1))) struct SignalsTests {
  private struct Gone: Error {}

  @Test func `what ends without a signal gives its result or its error`() async throws {
    let (signals, _) = AsyncStream.makeStream(of: UnixSignal.self)
    func run(_ body: @escaping @Sendable () async throws -> Int) async throws -> Int {
      try await Signals.cancelling(
        by: signals, endAtOnce: { Issue.record("ended at once") }, endSoon: { Issue.record("ended soon") },
        body)
    }
    #expect(try await run { 7 } == 7)
    await #expect(throws: Gone.self) { _ = try await run { throw Gone() } }
  }

  @Test func `the first signal cancels, and each one after it ends at once`() async throws {
    let (signals, source) = AsyncStream.makeStream(of: UnixSignal.self)
    let endedAtOnce = Watch(0)
    let endedSoon = Watch(0)
    let body: @Sendable () async throws -> Void = {
      source.yield(.sigterm)
      source.yield(.sigint)
      source.yield(.sigterm)
      // Cancelled by the first; what it made durable till then stays.
      try? await Latch<Void>().wait()
      await Task { _ = try? await endedAtOnce.wait { $0 == 2 } }.value
    }
    let error = await #expect(throws: CommandFailure.self) {
      try await Signals.cancelling(
        by: signals, endAtOnce: { endedAtOnce.update { $0 += 1 } }, endSoon: { endedSoon.update { $0 += 1 } },
        body)
    }
    #expect(error?.exitCode == .interrupted)
    #expect((endedAtOnce.value, endedSoon.value) == (2, 1))
  }
}
