import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// The power fails at every sync and at random writes of the real writer, and what the disk then holds is
/// opened again: it must be what some moment between the last confirmed and the last asked request left.
///
/// `TICKWAL_POWER_LOSS_WALKS` asks for more walks, `TICKWAL_TEST_SEED` for a certain one.
@Suite struct PowerLossTests {
  @Test func `whatever the disk keeps every confirmed request is there`() async throws {
    let walks = ProcessInfo.processInfo.environment["TICKWAL_POWER_LOSS_WALKS"].flatMap(Int.init) ?? 1
    var seeds = SplitMix64.forTest()
    for _ in 0..<walks {
      let seed = seeds.next()
      let (crashes, history) = try await crashes(seed: seed, steps: 50, sessions: 2, writesBetween: 16)
      #expect(crashes.count > 60)
      try await inParallel(crashes.indices) { index in
        try await check(crashes[index], history, "walk \(seed), crash \(index)")
      }
    }
  }

  /// A process was killed, the next one sees what the system still had in memory, ships it, and then the power
  /// fails: what was seen may not be gone.
  @Test func `what a start has seen survives the next loss`() async throws {
    var seeds = SplitMix64.forTest()
    let seed = seeds.next()
    let moments = Shared<[[String: DiskModel.LeftFile]]>([])
    let all = try await withSimulatedDisk { disk in
      disk.watch(before: { [unowned disk] call in
        guard call.kind == .sync || call.kind == .truncate else { return .proceed }
        let left = disk.leftFiles()
        if left[logName] != nil { moments.withLock { $0.append(left) } }
        return .proceed
      })
      var walk = LogWalk(seed: seed)
      let recorder = CrashRecorder(seed: seed, writesBetween: 1)
      let log = try await openLog(disk.folder)
      let all = try await take(40, of: &walk, on: log, recorder)
      try await log.close()
      return all
    }
    let chosen = Array(moments.current.shuffled(using: &seeds).prefix(8))
    #expect(chosen.count == 8)
    try await inParallel(chosen.indices) { index in
      let (crashes, history) = try await withSimulatedDisk(files: chosen[index]) { disk in
        let log = try await openLog(disk.folder)
        let seen = try await contents(of: log)
        let recorder = CrashRecorder(seed: seed, writesBetween: 10, confirmed: seen.revision)
        recorder.loseNow(disk, "after a start")
        var walk = LogWalk(seed: seed &+ 1, from: seen)
        let further = try await take(6, of: &walk, on: log, recorder)
        recorder.loseNow(disk, "with everything confirmed")
        try await log.close()
        recorder.loseNow(disk, "after the end")
        return (recorder.crashes, Array(all.prefix(seen.revision)) + further)
      }
      for (number, crash) in crashes.enumerated() {
        try await check(crash, history, "walk \(seed), start \(index), crash \(number)")
      }
    }
  }

  /// After a failed sync the system shows what the disk does not have; a later sync does not bring it there.
  @Test func `what a failed sync has lost is not built upon`() async throws {
    for nth in 1...4 {
      let (crashes, history) = try await withSimulatedDisk { disk in
        var walk = LogWalk(seed: UInt64(nth))
        let recorder = CrashRecorder(seed: UInt64(nth), writesBetween: 1_000)
        var log = try await openLog(disk.folder)
        var history = try await take(4 * nth, of: &walk, on: log, recorder)
        disk.watch(before: { $0.kind == .sync ? .fail(EIO) : .proceed })
        let failure = try await logError { try await log.append(ticks(3, from: Int(walk.model.head) + 1)) }
        #expect(failure.code == .failed)
        _ = try await logError { try await log.close() }
        disk.watch()
        log = try await openLog(disk.folder)
        let seen = try await contents(of: log)
        history[history.count - 1] = seen
        walk = LogWalk(seed: UInt64(nth), from: seen)
        recorder.loseNow(disk, "after the start")
        let further = try await take(12, of: &walk, on: log, recorder)
        recorder.loseNow(disk, "with everything confirmed")
        try await log.close()
        return (recorder.crashes, history.dropLast() + further)
      }
      for (index, crash) in crashes.enumerated() {
        try await check(crash, Array(history), "sync \(nth), crash \(index)")
      }
    }
  }

  /// Runs a walk on a new log, closing and opening it in between, and returns what losses of power left.
  private func crashes(
    seed: UInt64, steps: Int, sessions: Int, writesBetween: Int
  ) async throws -> ([CrashRecorder.Crash], [LogContents]) {
    try await withSimulatedDisk { disk in
      let recorder = CrashRecorder(seed: seed, writesBetween: writesBetween)
      recorder.watch(disk)
      let machine = ManualMachine()
      var walk = LogWalk(seed: seed)
      var history = [walk.model]
      for _ in 0..<sessions {
        let log = try await openLog(disk.folder, machine)
        log.startUpkeep(retention: anHour, disk: .off)
        history += try await take(steps / sessions, of: &walk, on: log, recorder, machine).dropFirst()
        recorder.loseNow(disk, "before the end")
        try await log.close()
        recorder.loseNow(disk, "after the end")
      }
      return (recorder.crashes, history)
    }
  }
}
