import Base
import CGlibc
import Glibc

/// A descriptor by which other threads wake one that waits for sockets.
final class WakeUp: Sendable {
  let descriptor: Int32

  /// - Throws: `SystemError` where there are too many open files.
  init() throws(SystemError) {
    descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    guard descriptor >= 0 else { throw SystemError(doing: "making an eventfd", subject: "", code: errno) }
  }

  deinit { close(descriptor) }

  /// From any thread.
  func wake() { eventfd_write(descriptor, 1) }

  /// Forgets that it was woken.
  func hear() {
    var count: eventfd_t = 0
    eventfd_read(descriptor, &count)
  }
}
