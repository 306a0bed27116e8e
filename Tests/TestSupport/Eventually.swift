/// Asks again and again until `condition` holds: for what other threads and processes do, where there is no
/// event to wait for.
///
/// - Returns: whether it did hold within the time. The time only bounds a failing test.
public func eventually(
  isolation: isolated (any Actor)? = #isolation, within limit: Duration = .seconds(90),
  _ condition: () async throws -> Bool
) async throws -> Bool {
  let deadline = ContinuousClock.now + limit
  while true {
    if try await condition() { return true }
    if ContinuousClock.now > deadline { return false }
    try await Task.sleep(for: .milliseconds(5))
  }
}
