/// Waits until one of several waits is over, and calls the others off.
/// - Throws: what the first one threw, `CancellationError` above all.
func untilFirstEnds(_ waits: [@Sendable () async throws -> Void]) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    for wait in waits { group.addTask { try await wait() } }
    try await group.next()
    group.cancelAll()
    // The others end with a cancellation that nobody asked for.
    while let result = await group.nextResult() { _ = result }
  }
}
