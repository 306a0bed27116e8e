import Base
import Foundation
import LogFixtures
import Synchronization
import TestSupport
import Testing

@testable import WAL

/// A volume of a few megabytes, filled by others to its last byte at any moment, on the simulated disk: shipping must
/// go on in the room that the log has, and make more.
///
/// `TICKWAL_FULL_VOLUME_WALKS` asks for more walks, `TICKWAL_TEST_SEED` for a certain one.
@Suite struct FullVolumeTests {
  private static let limits = DiskLimits(low: .percent(15), stop: .percent(5), ballast: 1 << 20)

  /// Times pass a hundred times as fast.
  private func open(_ disk: SimulatedDisk) async throws -> TickLog {
    var options = TickLog.Options.make()
    options.volume = { [unowned disk] _ in
      let (available, size) = disk.space
      return Volume(available: available, size: size)
    }
    options.retryPause = .milliseconds(5)
    options.volumeClock = { MonotonicClock.now() * 100 }
    let log = try await TickLog.open(path: disk.folder + "/ticks.db", options: options, logger: silent)
    try await log.enable([dynamo])
    log.startUpkeep(retention: anHour, disk: Self.limits)
    return log
  }

  private func next(_ log: TickLog) async throws -> Int64 {
    let reader = try await log.makeReader()
    let consumer = try await reader.consumers().first
    try await reader.close()
    return try #require(consumer).next.rawValue
  }

  private func size(of log: TickLog) throws -> Int {
    var info = stat()
    try #require(stat(log.path, &info) == 0)
    return Int(info.st_size)
  }

  /// A commit that the ballast has room for.
  private func appendSome(_ log: TickLog, _ random: inout SplitMix64) async throws {
    let done = Latch<Void>()
    let isTaken = try log.tryAppend(
      ticks(.random(in: 1...300, using: &random), from: Int(log.head.rawValue) + 1, padding: 200)
    ) { _ in done.set(()) }
    if isTaken { _ = try await eventually { done.value != nil || log.isDiskFull } }
  }

  /// Ticks until the volume takes no more.
  private func appendUntilRefused(_ log: TickLog, _ random: inout SplitMix64) async throws {
    for _ in 0..<10_000 where !log.isDiskFull { try await appendSome(log, &random) }
    #expect(log.isDiskFull)
  }

  /// Everything is shipped, a batch's plan and offset at a time, and then there is room for ticks again.
  private func expectRecovery(
    _ log: TickLog, _ disk: SimulatedDisk, batch: Int64, _ what: String
  ) async throws {
    // Where others have what there is, trimming makes no room for ticks.
    let isLarge = try size(of: log) > disk.space.size / 4
    let shipping = Task {
      var next = try await next(log)
      while next <= log.head.rawValue {
        let first = next
        next = min(next + batch, log.head.rawValue + 1)
        try await log.plan(dynamo, first...next - 1, shipped: true)
        try await log.commit(dynamo, next: next)
        let note = "note \(next % 7)"
        try await log.write { try $0.setMeta(note, String(repeating: "x", count: 300)) }
      }
    }
    let isShipped = try await eventually { try await next(log) > log.head.rawValue }
    #expect(isShipped, "\(what): \(disk.space)")
    let hasRoom = try await eventually { !isLarge || !log.isDiskFull }
    #expect(hasRoom, "\(what): \(disk.space)")
    // So that a failed test ends.
    if !isShipped || !hasRoom { disk.fill(leaving: .max) }
    try await shipping.value
    guard isLarge else { return }
    let head = log.head.rawValue
    #expect(try await log.append(ticks(10, from: Int(head) + 1))?.upperBound.rawValue == head + 10, "\(what)")
  }

  /// SQLite's WAL ends at the end of the volume, and the ballast is gone.
  @Test func `shipping goes on where not a byte more is to be had`() async throws {
    for seed in 1...2 as ClosedRange<UInt64> {
      var random = SplitMix64(seed: seed)
      try await withSimulatedDisk { disk in
        disk.limit(to: 12 << 20)
        let log = try await open(disk)
        try await appendUntilRefused(log, &random)
        try await log.upkeepDone()
        #expect(unlink(disk.folder + "/ticks.db.ballast") == 0)
        disk.fill(leaving: 0)
        #expect(disk.space.available == 0)
        try await expectRecovery(log, disk, batch: 100, "seed \(seed)")
        try await log.close()
      }
    }
  }

  /// The neighbour takes all there is, but not what the ballast holds.
  @Test func `whatever others take and whenever a process is killed, shipping makes room`() async throws {
    let walks = ProcessInfo.processInfo.environment["TICKWAL_FULL_VOLUME_WALKS"].flatMap(Int.init) ?? 2
    var seeds = SplitMix64.forTest()
    for _ in 0..<walks {
      let seed = seeds.next()
      var random = SplitMix64(seed: seed)
      let size = Int.random(in: 10...18, using: &random) << 20
      var files: [String: DiskModel.LeftFile] = [:]
      for life in 0..<3 {
        files = try await withSimulatedDisk(files: files) { disk in
          disk.limit(to: size)
          let log = try await open(disk)
          // The ballast is there before others come, where there is room for it.
          try await log.upkeepDone()
          if Bool.random(using: &random) {
            for _ in 0..<Int.random(in: 1...30, using: &random) where !log.isDiskFull {
              try await appendSome(log, &random)
            }
          } else {
            try await appendUntilRefused(log, &random)
          }
          disk.fill(leaving: Bool.random(using: &random) ? 0 : .random(in: 0...200_000, using: &random))
          if life == 1, Bool.random(using: &random) {
            let left = disk.leftFiles()
            disk.fill(leaving: .max)
            try await log.close()
            return left
          }
          try await expectRecovery(
            log, disk, batch: .random(in: 200...3_000, using: &random), "seed \(seed), life \(life)")
          let left = disk.leftFiles()
          disk.fill(leaving: .max)
          try await log.close()
          return left
        }
      }
    }
  }
}
