import Synchronization

@testable import Shippers

/// Both clocks of shipping, moved by the test. Short waits, those between tries, end at once; longer ones
/// (a batch's timeout, a hold, the note's interval) when the test has moved the clock beyond them.
final class TestClock: Sendable {
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
  }

  static let shortest = Duration.seconds(21)
  private let state: Mutex<State>

  init(wall: Int64 = someTime) {
    state = Mutex(State(wall: wall))
  }

  var shipping: ShippingClock {
    ShippingClock(now: { self.now }, sleep: { try await self.sleep($0) }, wall: { self.wall })
  }

  var now: Duration { state.withLock { $0.now } }
  var wall: Int64 { state.withLock { $0.wall } }
  /// All waits that were asked for.
  var sleeps: [Duration] { state.withLock { $0.sleeps } }
  /// What those who wait have left.
  var waiting: [Duration] {
    state.withLock { state in state.sleepers.values.map { $0.deadline - state.now }.sorted() }
  }

  func setWall(_ microseconds: Int64) { state.withLock { $0.wall = microseconds } }

  /// Moves the monotonic clock alone.
  func advance(by duration: Duration) {
    let woken = state.withLock { state in
      state.now += duration
      let ids = state.sleepers.filter { $0.value.deadline <= state.now }.map(\.key)
      return ids.compactMap { state.sleepers.removeValue(forKey: $0)?.continuation }
    }
    for continuation in woken { continuation.resume() }
  }

  private func sleep(_ duration: Duration) async throws {
    let id = state.withLock { state in
      state.nextID += 1
      state.sleeps.append(duration)
      return state.nextID
    }
    try Task.checkCancellation()
    if duration < Self.shortest {
      state.withLock { $0.now += duration }
      return await Task.yield()
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let isCancelled = state.withLock { state in
          if Task.isCancelled { return true }
          state.sleepers[id] = Sleeper(deadline: state.now + duration, continuation: continuation)
          return false
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
      }
    } onCancel: {
      let sleeper = state.withLock { $0.sleepers.removeValue(forKey: id) }
      sleeper?.continuation.resume(throwing: CancellationError())
    }
  }
}
