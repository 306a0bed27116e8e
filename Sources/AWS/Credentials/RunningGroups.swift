import Glibc
import Synchronization

/// The process groups of programs that run for this process: they end with it, however it calls `exit`. Who calls
/// `_exit` ends them first.
package enum RunningGroups {
  private static let groups = Mutex<Set<pid_t>>([])
  private static let isRegistered = atexit { end() }

  /// Kills them all, at the end of the process.
  package static func end() {
    // Whoever holds the lock may be gone for good.
    groups.withLockIfAvailable { groups in
      for group in groups { kill(-group, SIGKILL) }
    }
  }

  /// - Parameter group: of a child that is not reaped before ``remove(_:)``, so that its number is no other's.
  static func add(_ group: pid_t) {
    _ = isRegistered
    groups.withLock { _ = $0.insert(group) }
  }

  static func remove(_ group: pid_t) {
    groups.withLock { _ = $0.remove(group) }
  }
}
