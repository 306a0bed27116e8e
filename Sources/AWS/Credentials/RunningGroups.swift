import Glibc
import Synchronization

/// The process groups of programs that run for this process: they end with it, however it calls `exit`.
enum RunningGroups {
  private static let groups = Mutex<Set<pid_t>>([])
  private static let isRegistered = atexit {
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
