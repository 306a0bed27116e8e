import CTestVFS
import Glibc

/// A SQLite VFS of one test, whose writes and syncs can be counted and made to fail.
// Safe because the C side works on atomics alone.
// Breaks if a log that uses it is still open when it goes away; `withFaultVFS` is given a closed one.
final class FaultVFS: @unchecked Sendable {
  let name: String
  private let handle: OpaquePointer

  init(_ name: String) {
    self.name = name
    handle = ctestvfs_register(name)
  }

  deinit { ctestvfs_unregister(handle) }

  func count(_ file: ctestvfs_file, _ operation: ctestvfs_operation) -> Int {
    ctestvfs_count(handle, file, operation)
  }

  func failures(_ file: ctestvfs_file, _ operation: ctestvfs_operation) -> Int {
    ctestvfs_failures(handle, file, operation)
  }

  /// Whether every write so far was followed by a sync.
  func isSynced(_ file: ctestvfs_file) -> Bool { ctestvfs_is_synced(handle, file) }

  /// Lets the `first`th call from now on fail, and those after it: `times` of them, or all.
  func fail(
    _ operation: ctestvfs_operation, of file: ctestvfs_file, first: Int = 1, times: Int = .max, error: Int32
  ) {
    ctestvfs_fail(handle, file, operation, first, times, error)
  }

  func heal(_ operation: ctestvfs_operation, of file: ctestvfs_file) {
    ctestvfs_fail(handle, file, operation, 1, 0, 0)
  }
}
