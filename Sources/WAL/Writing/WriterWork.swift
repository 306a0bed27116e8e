import Base
import Glibc

/// The time that the writer has been at one piece of work.
package struct WriterWork: Equatable, Sendable {
  package var time: Duration
  /// As much of it as the thread has spent on a processor: none in a system call that waits, for a lock or for room.
  package var processorTime: Duration

  package init(time: Duration, processorTime: Duration) {
    self.time = time
    self.processorTime = processorTime
  }
}

/// The clock of the processor time of one thread, which others may read.
///
/// Reference: pthread_getcpuclockid(3)
struct ThreadClock: Sendable {
  private let id: clockid_t

  /// Of the thread that calls it; nil where the system has none.
  static func own() -> ThreadClock? {
    var id = clockid_t()
    return pthread_getcpuclockid(pthread_self(), &id) == 0 ? ThreadClock(id: id) : nil
  }

  /// Nil once the thread is over.
  func now() -> Duration? {
    var time = timespec()
    guard clock_gettime(id, &time) == 0 else { return nil }
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
}
