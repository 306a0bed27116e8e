import Synchronization
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(1))) struct CredentialCacheTests {
  private func keys(_ number: Int, _ expiration: Int? = nil) -> Credentials {
    CountingProvider.keys(number, expiration: expiration)
  }

  @Test func `static keys are loaded once`() {
    var state = CredentialState()
    #expect(state.step(now: 0) == .load)
    #expect(state.step(now: 0) == .wait)
    state.loaded(keys(1), now: 0)
    #expect(state.step(now: 1_000_000_000) == .use(keys(1)))
  }

  @Test func `expiring keys are fetched anew in time, while the old ones serve`() {
    var state = CredentialState()
    #expect(state.step(now: 0) == .load)
    state.loaded(keys(1, 3_600), now: 0)
    #expect(state.step(now: 3_299) == .use(keys(1, 3_600)))
    #expect(state.step(now: 3_300) == .load)
    #expect(state.step(now: 3_301) == .use(keys(1, 3_600)))
    #expect(state.failed(now: 3_302) == keys(1, 3_600))
    #expect(state.step(now: 3_303) == .use(keys(1, 3_600)))
    #expect(state.step(now: 3_332) == .load)
    state.loaded(keys(2, 7_200), now: 3_333)
    #expect(state.step(now: 3_400) == .use(keys(2, 7_200)))
  }

  @Test func `expired keys are not used`() {
    var state = CredentialState()
    #expect(state.step(now: 0) == .load)
    state.loaded(keys(1, 100), now: 0)
    #expect(state.step(now: 100) == .load)
    #expect(state.step(now: 101) == .wait)
    #expect(state.failed(now: 102) == nil)
    #expect(state.step(now: 103) == .load)
  }

  @Test func `a refusal counts for the keys that were refused alone`() {
    var state = CredentialState()
    #expect(state.step(now: 0) == .load)
    state.loaded(keys(2), now: 0)
    state.invalidate(keys(1))
    #expect(state.step(now: 0) == .use(keys(2)))
    state.invalidate(keys(2))
    #expect(state.step(now: 0) == .load)
    state.abandoned()
    #expect(state.step(now: 0) == .load)
  }

  /// A provider that answers when told to.
  private final class GatedProvider: CredentialProvider {
    let calls: AsyncStream<CheckedContinuation<Credentials, any Error>>
    private let arrived: AsyncStream<CheckedContinuation<Credentials, any Error>>.Continuation

    init() { (calls, arrived) = AsyncStream.makeStream() }

    func credentials() async throws -> Credentials {
      try await withCheckedThrowingContinuation { _ = arrived.yield($0) }
    }
  }

  @Test func `one task asks, all get the answer`() async throws {
    let provider = GatedProvider()
    let cache = CredentialCache(provider)
    try await withThrowingTaskGroup(of: Credentials.self) { group in
      for _ in 1...50 { group.addTask { try await cache.credentials(now: 0) } }
      var calls = provider.calls.makeAsyncIterator()
      try #require(await calls.next()).resume(returning: keys(1))
      for try await found in group { #expect(found == keys(1)) }
    }
    // A second call would have been left unanswered, and the group would not have ended.
    #expect(try await cache.credentials(now: 0) == keys(1))
  }

  @Test func `a waiting task that is cancelled leaves, the others stay`() async throws {
    let provider = GatedProvider()
    let cache = CredentialCache(provider)
    var calls = provider.calls.makeAsyncIterator()
    try await withThrowingTaskGroup(of: Credentials.self) { group in
      group.addTask { try await cache.credentials(now: 0) }
      let call = try #require(await calls.next())
      await withTaskGroup(of: Void.self) { others in
        others.addTask {
          await #expect(throws: CancellationError.self) { _ = try await cache.credentials(now: 0) }
        }
        others.cancelAll()
      }
      call.resume(returning: keys(1))
      #expect(try await group.next() == keys(1))
    }
  }

  @Test func `when the asking task is cancelled another one asks`() async throws {
    let provider = GatedProvider()
    let cache = CredentialCache(provider)
    var calls = provider.calls.makeAsyncIterator()
    try await withThrowingTaskGroup(of: Credentials?.self) { group in
      for _ in 1...2 {
        group.addTask {
          do { return try await cache.credentials(now: 0) } catch is CancellationError { return nil }
        }
      }
      try #require(await calls.next()).resume(throwing: CancellationError())
      try #require(await calls.next()).resume(returning: keys(1))
      var found: [Credentials?] = []
      for try await credentials in group { found.append(credentials) }
      #expect(found.compactMap { $0 } == [keys(1)])
      #expect(found.count == 2)
    }
  }

  @Test func `a failure reaches all who wait, and the next one asks again`() async throws {
    let provider = GatedProvider()
    let cache = CredentialCache(provider)
    var calls = provider.calls.makeAsyncIterator()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        await #expect(throws: CredentialError.self) { _ = try await cache.credentials(now: 0) }
      }
      try #require(await calls.next()).resume(throwing: CredentialError(.absent, "x"))
      try await group.waitForAll()
      group.addTask {
        let found = try await cache.credentials(now: 0)
        #expect(found == keys(2))
      }
      try #require(await calls.next()).resume(returning: keys(2))
      try await group.waitForAll()
    }
  }
}
