import Glibc

/// A lock on an open file that other processes see, kept until it is given up or the file is closed everywhere.
///
/// Reference: https://man7.org/linux/man-pages/man2/flock.2.html
package enum FileLock {
  package enum Kind: Sendable {
    case shared, exclusive
  }

  /// Takes the lock without waiting for it in the system.
  ///
  /// - Parameters:
  ///   - tries: how often it is asked for while another process has it, at least once.
  ///   - pause: runs between the tries.
  /// - Returns: whether it is taken; if not, `errno` says why: `EWOULDBLOCK` if another process has it.
  package static func take(
    _ kind: Kind, of descriptor: Int32, tries: Int = 1, pause: () -> Void = {}
  ) -> Bool {
    let operation = (kind == .shared ? LOCK_SH : LOCK_EX) | LOCK_NB
    var left = tries
    while flock(descriptor, operation) != 0 {
      left -= 1
      guard left > 0, errno == EWOULDBLOCK || errno == EINTR else { return false }
      pause()
    }
    return true
  }

  /// Gives the lock up by word. Closing alone would not do: a program that is being started has every descriptor,
  /// and with it the lock, until its `exec`.
  package static func giveUp(_ descriptor: Int32) {
    flock(descriptor, LOCK_UN)
  }
}
