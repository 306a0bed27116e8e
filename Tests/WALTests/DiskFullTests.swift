import Base
import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// A volume that is really full: a small tmpfs, which only root may mount.
@Suite(.enabled(if: canMount, "mounting a small volume needs root"))
struct DiskFullTests {
  private func withSmallVolume<T>(
    isolation: isolated (any Actor)? = #isolation, mebibytes: Int = 3,
    _ body: (_ folder: String) async throws -> T
  ) async throws -> T {
    try await withTemporaryFolder { folder in
      let mount = try runProgram(
        "mount", ["-t", "tmpfs", "-o", "size=\(mebibytes)m,mode=700", "tmpfs", folder])
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

  @Test func `appends wait for room and go on by themselves`() async throws {
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
      _ = try await log.head { [number] in $0 > Offset(rawValue: Int64(number - 2)) }
      #expect(before < log.head)
      #expect(try await eventually { confirmed.current == (number - 101) / 100 })
      try await log.close()
      let read = try await contents(of: path)
      #expect((1..<Int64(number)).map { read.ticks[$0] } == lines(ticks(number - 1)))
    }
  }

  /// With the ballast's room consumers commit although ticks wait; what they have shipped is trimmed, and that
  /// makes room for the ticks.
  @Test func `shipping makes room on a full volume`() async throws {
    let logs = RecordedLogs()
    try await withSmallVolume(mebibytes: 64) { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(), logger: logs.logger)
      try await log.enable([dynamo])
      log.startUpkeep(
        retention: anHour, disk: DiskLimits(low: .bytes(0), stop: .bytes(0), ballast: 1 << 20))
      try await log.upkeepDone()
      let ballast = Ballast(logPath: path)
      #expect(ballast.isWhole(bytes: 667_648))
      for number in 0..<60 {
        try await log.append(ticks(1_000, from: number * 1_000 + 1, padding: 450))
      }
      try fill(folder + "/filler")
      // More than is won by cutting SQLite's WAL.
      let all = try await withThrowingTaskGroup(of: OffsetRange?.self) { group in
        for number in 0..<10 {
          group.addTask { try await log.append(ticks(4_000, from: number * 4_000 + 60_001, padding: 450)) }
        }
        #expect(try await eventually { log.isDiskFull && access(ballast.path, F_OK) != 0 })
        try await log.commit(dynamo, next: 2_001)
        try await log.commit(dynamo, next: 60_001)
        return try await group.reduce(into: []) { $0.append($1) }
      }
      #expect(Set(all.compactMap { $0?.lowerBound.rawValue }) == Set((0..<10).map { 60_001 + $0 * 4_000 }))
      #expect(try await eventually { !log.isDiskFull })
      try await log.append(ticks(10, from: 100_001))
      #expect(try await Remains(log).ticks == "60001-100010")
      #expect(logs.messages(.error).contains { $0.contains("the volume of the log is full") })
      #expect(try await eventually { logs.messages(.notice).contains { $0.contains("room again") } })
      #expect(unlink(folder + "/filler") == 0)
      try await log.upkeepDone()
      #expect(ballast.isWhole(bytes: 667_648))
      try await log.close()
    }
  }

  @Test func `the ballast is released before a full volume's log is opened`() async throws {
    try await withSmallVolume(mebibytes: 64) { folder in
      let path = folder + "/ticks.db"
      let limits = DiskLimits(low: .percent(15), stop: .percent(5), ballast: 1 << 20)
      var log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.enable([dynamo])
      log.startUpkeep(retention: anHour, disk: limits)
      try await log.append(ticks(1_000))
      try await log.upkeepDone()
      try await log.close()
      try fill(folder + "/filler")
      log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.enable([dynamo])
      log.startUpkeep(retention: anHour, disk: limits)
      try await log.upkeepDone()
      #expect(log.isDiskFull)
      try await log.commit(dynamo, next: 1_001)
      try await log.upkeepDone()
      #expect(try await Remains(log).ticks == "")
      #expect(access(path + ".ballast", F_OK) != 0)
      #expect(unlink(folder + "/filler") == 0)
      #expect(try await eventually { Ballast(logPath: path).isWhole(bytes: 667_648) })
      #expect(try await log.append(ticks(1))?.lowerBound == Offset(rawValue: 1_001))
      try await log.close()
    }
  }

  /// Ten megabytes: the WAL stays a small part of it, and what is shipped makes room again and again.
  @Test func `a tiny volume is enough`() async throws {
    try await withSmallVolume(mebibytes: 10) { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(capacity: 200_000), logger: silent)
      try await log.enable([dynamo])
      log.startUpkeep(
        retention: anHour, disk: DiskLimits(low: .percent(15), stop: .percent(5), ballast: 64 << 20))
      var number = 1
      while number < 120_000 {
        try await log.append(ticks(500, from: number, padding: 100))
        number += 500
        try await log.commit(dynamo, next: Int64(number))
      }
      try await log.upkeepDone()
      let reader = try await log.makeReader()
      #expect(try await reader.head().rawValue == 120_000)
      #expect(try await reader.text("PRAGMA quick_check") == "ok")
      let oldest = try await reader.oldest()?.rawValue ?? 120_001
      let kept = try await readAll(reader, from: Offset(rawValue: oldest))
      #expect(kept.bad == [])
      #expect(kept.ticks.count == Int(120_001 - oldest))
      try await reader.close()
      try await log.close()
    }
  }

  @Test func `opening on a full volume says so`() async throws {
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
