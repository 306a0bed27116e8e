import Synchronization

@testable import Shippers

/// Both clocks of shipping, moved by the test. Short waits, those between tries, end at once; longer ones
/// (a batch's timeout, a hold, the note's interval) when the test has moved the clock beyond them.
package final class TestClock: Sendable {
  private struct Sleeper {
    let deadline: Duration
    let continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var now: Duration = .zero
    var wall: Int64
    var sleeps: [Duration] = []
    var sleepers: [Int: Sleeper] = [:]
    var nextID = 0
    var shortest = TestClock.shortest
  }

  /// Waits shorter than this end at once.
  package static let shortest = Duration.seconds(21)
  /// The same in a hurry: holds and batches that wait for their time, too.
  private static let shortestInAHurry = Duration.seconds(62)
  private let state: Mutex<State>

  package init(wall: Int64 = someTime) {
    state = Mutex(State(wall: wall))
  }

  package var shipping: ShippingClock {
    ShippingClock(now: { self.now }, sleep: { try await self.sleep($0) }, wall: { self.wall })
  }

  package var now: Duration { state.withLock { $0.now } }
  package var wall: Int64 { state.withLock { $0.wall } }
  /// All waits that were asked for.
  package var sleeps: [Duration] { state.withLock { $0.sleeps } }
  /// What those who wait have left.
  package var waiting: [Duration] {
    state.withLock { state in state.sleepers.values.map { $0.deadline - state.now }.sorted() }
  }

  package func setWall(_ microseconds: Int64) { state.withLock { $0.wall = microseconds } }

  /// Moves the monotonic clock alone.
  package func advance(by duration: Duration) {
    let woken = state.withLock { state in
      state.now += duration
      let ids = state.sleepers.filter { $0.value.deadline <= state.now }.map(\.key)
      return ids.compactMap { state.sleepers.removeValue(forKey: $0)?.continuation }
    }
    for continuation in woken { continuation.resume() }
  }

  /// From now on the waits of all but those who wait for minutes end at once.
  package func hurry() {
    state.withLock { $0.shortest = Self.shortestInAHurry }
    advance(by: Self.shortestInAHurry)
  }

  package func relax() { state.withLock { $0.shortest = Self.shortest } }

  private func sleep(_ duration: Duration) async throws {
    let (id, isShort) = state.withLock { state in
      state.nextID += 1
      state.sleeps.append(duration)
      return (state.nextID, duration < state.shortest)
    }
    try Task.checkCancellation()
    if isShort {
      state.withLock { $0.now += duration }
      return await Task.yield()
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let ended: Result<Void, any Error>? = state.withLock { state in
          if Task.isCancelled { return .failure(CancellationError()) }
          // A hurry that has begun meanwhile does not come again.
          if duration < state.shortest { return .success(()) }
          state.sleepers[id] = Sleeper(deadline: state.now + duration, continuation: continuation)
          return nil
        }
        if let ended { continuation.resume(with: ended) }
      }
    } onCancel: {
      let sleeper = state.withLock { $0.sleepers.removeValue(forKey: id) }
      sleeper?.continuation.resume(throwing: CancellationError())
    }
  }
}
