import Logging
import Synchronization
import TestSupport
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(3))) struct CredentialCacheTests {
  private func keys(_ number: Int, _ expiration: Int? = nil) -> Credentials {
    CountingProvider.keys(number, expiration: expiration)
  }

  /// A state that holds these keys since `now`.
  private func state(_ credentials: Credentials, now: Int = 0, jitter: Double = 0) -> CredentialState {
    var state = CredentialState()
    #expect(state.step(now: now) == .load)
    state.loaded(credentials, lifetime: credentials.lifetime(at: now), now: now, jitter: jitter)
    return state
  }

  @Test func `static keys are loaded once`() {
    var state = CredentialState()
    #expect(state.step(now: 0) == .load)
    #expect(state.step(now: 0) == .wait)
    state.loaded(keys(1), lifetime: nil, now: 0, jitter: 0)
    #expect(state.step(now: 1_000_000_000) == .use(keys(1)))
  }

  @Test(arguments: [
    (3_600, 0.0, 3_300), (3_600, 1.0, 3_375), (21_600, 0.0, 21_300), (15, 0.0, 10), (15, 1.0, 11),
    (900, 0.0, 600),
    (600, 0.5, 425), (2, 0.0, 2),
  ])
  func `new keys are fetched a third of the lifetime before expiry, at most five minutes`(
    lifetime: Int, jitter: Double, due: Int
  ) {
    var state = state(keys(1, 1_000 + lifetime), now: 1_000, jitter: jitter)
    #expect(state.step(now: 1_000 + due - 1) == .use(keys(1, 1_000 + lifetime)))
    #expect(state.step(now: 1_000 + due) == .load)
    // Meanwhile the old ones serve.
    #expect(state.step(now: 1_000 + due) == (due < lifetime ? .use(keys(1, 1_000 + lifetime)) : .wait))
    state.loaded(keys(2), lifetime: nil, now: 1_000 + due, jitter: 0)
    #expect(state.step(now: 1_000 + due) == .use(keys(2)))
  }

  @Test func `a refresh that fails is tried again at growing distances, until the old ones expire`() {
    var state = state(keys(1, 3_600))
    var attempts: [Int] = []
    for now in 3_200..<3_600 {
      switch state.step(now: now) {
      case .load:
        attempts.append(now)
        #expect(state.failed(now: now) == keys(1, 3_600))
        // One attempt a second is all that this loop can see.
        if state.step(now: now) == .load { #expect(state.failed(now: now) == keys(1, 3_600)) }
      case let step: #expect(step == .use(keys(1, 3_600)))
      }
    }
    #expect(attempts.prefix(6) == [3_300, 3_301, 3_303, 3_307, 3_315, 3_331])
    let pauses = zip(attempts, attempts.dropFirst()).map { $1 - $0 }
    #expect(pauses.allSatisfy { (1...30).contains($0) })
    // Towards the end more often: a quarter of what is left.
    #expect(attempts.contains { $0 >= 3_595 })
    // And past it every minute, the old ones serving all the same.
    attempts = []
    for now in 3_600..<4_200 where state.step(now: now) == .load {
      attempts.append(now)
      #expect(state.failed(now: now) == keys(1, 3_600))
      #expect(state.step(now: now) == .use(keys(1, 3_600)))
    }
    #expect(attempts == [3_600] + (1...9).map { 3_600 + 60 * $0 })
  }

  @Test func `a provider that hands out the same keys again is not asked for each request`() {
    var state = state(keys(1, 3_600))
    var loads = 0
    for now in 0..<3_600 where state.step(now: now) == .load {
      loads += 1
      state.loaded(keys(1, 3_600), lifetime: 3_600 - now, now: now, jitter: 0)
    }
    #expect((2...8).contains(loads))
  }

  @Test func `without keys a failing provider is left alone for a while`() {
    var state = CredentialState()
    var attempts: [Int] = []
    for now in 0..<60 {
      while case let step = state.step(now: now), step != .fail {
        #expect(step == .load)
        attempts.append(now)
        #expect(state.failed(now: now) == nil)
      }
    }
    #expect(attempts == [0, 0, 1, 3, 7, 15, 25, 35, 45, 55])
  }

  @Test func `expired keys are used when no others can be had, after one attempt that all wait for`() {
    var state = state(keys(1, 100))
    #expect(state.step(now: 100) == .load)
    #expect(state.step(now: 101) == .wait)
    #expect(state.failed(now: 102) == keys(1, 100))
    #expect(state.step(now: 103) == .load)
    // A source that hangs holds nobody up.
    #expect(state.step(now: 150) == .use(keys(1, 100)))
    state.loaded(keys(2), lifetime: nil, now: 163, jitter: 0)
    #expect(state.step(now: 163) == .use(keys(2)))
  }

  @Test(arguments: [0, -1, -7_200, -40_000_000])
  func `keys that have expired when they come are used, and newer ones asked for every minute`(lifetime: Int)
  {
    var state = CredentialState()
    var loads: [Int] = []
    for now in 0..<200 {
      if state.step(now: now) == .load {
        loads.append(now)
        // Asked a second time, nobody waits for the answer.
        #expect(state.step(now: now) == (loads.count == 1 ? .wait : .use(keys(1, 5))))
        state.loaded(keys(1, 5), lifetime: lifetime, now: now, jitter: 0)
      }
      #expect(state.step(now: now) == .use(keys(1, 5)))
    }
    #expect(loads == [0, 60, 120, 180])
  }

  @Test func `a refusal counts for the keys that were refused alone`() {
    var state = state(keys(2))
    state.invalidate(keys(1), now: 0)
    #expect(state.step(now: 0) == .use(keys(2)))
    state.invalidate(keys(2), now: 0)
    #expect(state.step(now: 0) == .load)
    #expect(state.step(now: 0) == .wait)
    state.abandoned()
    #expect(state.step(now: 0) == .load)
  }

  @Test func `keys that are refused again and again are fetched every ten seconds`() {
    var state = state(keys(1))
    var loads: [Int] = []
    for now in 0..<25 {
      state.invalidate(keys(1), now: now)
      switch state.step(now: now) {
      case .load:
        loads.append(now)
        state.loaded(keys(1), lifetime: nil, now: now, jitter: 0)
      case let step: #expect(step == .use(keys(1)))
      }
    }
    #expect(loads == [0, 10, 20])
  }

  @Test func `refused keys serve on when no others can be had`() {
    var state = state(keys(1, 1_000))
    state.invalidate(keys(1, 1_000), now: 0)
    #expect(state.step(now: 0) == .load)
    #expect(state.failed(now: 0) == keys(1, 1_000))
    #expect(state.step(now: 0) == .load)
    #expect(state.failed(now: 0) == keys(1, 1_000))
    #expect(state.step(now: 0) == .use(keys(1, 1_000)))
    #expect(state.step(now: 1) == .load)
    state.loaded(keys(2), lifetime: nil, now: 1, jitter: 0)
    #expect(state.step(now: 2) == .use(keys(2)))
  }

  @Test func `a failed renewal is reported, and nobody notices otherwise`() async throws {
    let logs = RecordedLogs()
    let provider = CountingProvider { number in
      if number == 1 { return CountingProvider.keys(1, expiration: 900) }
      if number == 2 { throw CredentialError(.unavailable, "the place is closed") }
      return CountingProvider.keys(number, expiration: 1_800)
    }
    let cache = CredentialCache(provider, logger: logs.logger, jitter: { 0 })
    #expect(try await cache.credentials(now: 0) == keys(1, 900))
    #expect(try await cache.credentials(now: 700) == keys(1, 900))
    #expect(logs.text.contains("the place is closed"))
    #expect(logs.text.contains("200"))
    #expect(try await cache.credentials(now: 701) == keys(3, 1_800))
    #expect(provider.count == 3)
    #expect(!logs.text.contains("secret-"))
  }

  @Test func `keys that have expired when they come serve, and that is said once`() async throws {
    let logs = RecordedLogs()
    let provider = CountingProvider { CountingProvider.keys($0, expiration: $0 < 3 ? 900 : 2_000) }
    let cache = CredentialCache(provider, logger: logs.logger)
    #expect(try await cache.credentials(now: 1_000) == keys(1, 900))
    #expect(try await cache.credentials(now: 1_059) == keys(1, 900))
    #expect(try await cache.credentials(now: 1_060) == keys(2, 900))
    #expect(logs.messages(.warning).count == 1)
    #expect(logs.text.contains("used all the same") && logs.text.contains("100"))
    #expect(try await cache.credentials(now: 1_120) == keys(3, 2_000))
  }

  @Test func `expiry goes by the clock of whoever gave the keys`() async throws {
    // This machine is eight hours ahead, and the keys are good for six.
    let provider = CountingProvider { number in
      var keys = CountingProvider.keys(number, expiration: 1_000_000 + 21_600)
      keys.issuedAt = 1_000_000
      return keys
    }
    let logs = RecordedLogs()
    let cache = CredentialCache(provider, logger: logs.logger, jitter: { 0 })
    _ = try await cache.credentials(now: 0, wall: 1_000_000 + 28_800)
    _ = try await cache.credentials(now: 21_299, wall: 0)
    #expect(provider.count == 1)
    _ = try await cache.credentials(now: 21_300, wall: 0)
    #expect(provider.count == 2)
    #expect(logs.messages(.warning).isEmpty)
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
    let cache = CredentialCache(provider, logger: RecordedLogs().logger)
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
    let cache = CredentialCache(provider, logger: RecordedLogs().logger)
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
    let cache = CredentialCache(provider, logger: RecordedLogs().logger)
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
    let cache = CredentialCache(provider, logger: RecordedLogs().logger)
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

extension CredentialCache {
  /// With both clocks alike.
  fileprivate func credentials(now: Int) async throws -> Credentials {
    try await credentials(now: now, wall: now)
  }
}
