import Foundation
import TestSupport
import Testing

@testable import WAL

/// A volume that is really full: a small tmpfs, which only root may mount.
@Suite(.enabled(if: canMount, "mounting a small volume needs root"))
struct DiskFullTests {
  private func withSmallVolume<T>(
    isolation: isolated (any Actor)? = #isolation, _ body: (_ folder: String) async throws -> T
  ) async throws -> T {
    try await withTemporaryFolder { folder in
      let mount = try runProgram("mount", ["-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", folder])
      try #require(mount.status == 0, "\(mount.errors)")
      let result: Result<T, any Error>
      do {
        result = .success(try await body(folder))
      } catch {
        result = .failure(error)
      }
      let unmount = try runProgram("umount", [folder])
      #expect(unmount.status == 0, "\(unmount.errors)")
      return try result.get()
    }
  }

  /// Fills the volume to its last byte.
  private func fill(_ path: String) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    for size in [65_536, 4_096, 1] {
      let bytes = [UInt8](repeating: 1, count: size)
      while write(descriptor, bytes, size) == size {}
    }
    #expect(errno == ENOSPC)
  }

  @Test func appendsWaitForRoomAndGoOnByThemselves() async throws {
    try await withSmallVolume { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(
        path: path, options: .make(capacity: 100_000), logger: silent)
      try await log.append(ticks(100))
      try fill(folder + "/filler")
      let confirmed = Shared(0)
      var number = 101
      func tryNext() throws -> Bool {
        let isTaken = try log.tryAppend(ticks(100, from: number)) { result in
          if case .success = result { confirmed.withLock { $0 += 1 } } else { Issue.record("\(result)") }
        }
        if isTaken { number += 100 }
        return isTaken
      }
      #expect(try await eventually { try tryNext() ? false : log.isDiskFull })
      let room = Latch<Void>()
      log.whenRoom { room.set(()) }
      let before = log.head
      #expect(room.value == nil)
      #expect(unlink(folder + "/filler") == 0)
      try await room.wait()
      _ = try await log.head(beyond: Offset(rawValue: Int64(number - 2)))
      #expect(before < log.head)
      #expect(try await eventually { confirmed.current == (number - 101) / 100 })
      try await log.close()
      let read = try await contents(of: path)
      #expect((1..<Int64(number)).map { read.ticks[$0] } == lines(ticks(number - 1)))
    }
  }

  @Test func openingOnAFullVolumeSaysSo() async throws {
    try await withSmallVolume { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(10))
      try await log.close()
      try fill(folder + "/filler")
      let existing = try await logError {
        _ = try await TickLog.open(path: path, options: .make(), logger: silent)
      }
      #expect(existing.code == .diskFull)
      let new = try await logError {
        _ = try await TickLog.open(path: folder + "/new.db", options: .make(), logger: silent)
      }
      #expect(new.code == .diskFull)
      #expect(unlink(folder + "/filler") == 0)
      #expect(try await contents(of: path).ticks.count == 10)
      let made = try await TickLog.open(path: folder + "/new.db", options: .make(), logger: silent)
      try await made.close()
    }
  }
}

/// Root alone is not enough: a container may forbid it.
private let canMount: Bool = {
  guard getuid() == 0 else { return false }
  let folder = NSTemporaryDirectory() + "/tickwal-mount-\(getpid())"
  guard mkdir(folder, 0o700) == 0 else { return false }
  defer { rmdir(folder) }
  let result = Result { try runProgram("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]).status }
  guard case .success(0) = result else { return false }
  return umount(folder) == 0
}()
