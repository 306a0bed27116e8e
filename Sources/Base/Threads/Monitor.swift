import Glibc

/// A lock with a condition to wait for, for threads that sleep (Swift's `Mutex` has none).
// Safe because `state` is touched only between lock and unlock, inside `withLock` and `wait`.
// Breaks if a closure lets a reference to `state`'s inside escape.
package final class Monitor<State>: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var state: State

  package init(_ state: State) {
    self.state = state
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` under the lock; wakes nobody, see `signal`.
  package func withLock<T>(_ body: (inout State) throws -> T) rethrows -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Makes those who wait look again.
  package func signal() {
    pthread_cond_broadcast(condition)
  }

  package enum Step<T> {
    case done(T)
    case sleep
    case sleepFor(Duration)
  }

  /// Asks `body` under the lock until it is done, sleeping as it says in between.
  package func wait<T>(_ body: (inout State) -> Step<T>) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      switch body(&state) {
      case .done(let result): return result
      case .sleep: pthread_cond_wait(condition, mutex)
      case .sleepFor(let duration):
        var deadline = (MonotonicClock.now() + duration).timespec
        pthread_cond_timedwait(condition, mutex, &deadline)
      }
    }
  }
}

extension Duration {
  fileprivate var timespec: timespec {
    let parts = components
    return Glibc.timespec(tv_sec: Int(parts.seconds), tv_nsec: Int(parts.attoseconds / 1_000_000_000))
  }
}
