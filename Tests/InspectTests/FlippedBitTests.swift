import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import Inspect
@testable import WAL

/// Bits turned anywhere in the file: never a wrong tick, and what is wrong is found, and saved.
@Suite struct FlippedBitTests {
  private static let count = 400

  /// What one damaged copy of the log does.
  private func attack(_ damaged: [UInt8], _ folder: String, _ expected: [String]) async throws {
    let path = folder + "/damaged.db"
    let saved = folder + "/saved.db"
    for name in [path, saved] {
      for suffix in ["", "-wal", "-shm", ".lock"] where FileManager.default.fileExists(atPath: name + suffix)
      {
        try FileManager.default.removeItem(atPath: name + suffix)
      }
    }
    try write(damaged, to: path)
    let isFound = try await check(path, expected)
    #expect(try bytes(of: path) == damaged)
    do {
      let outcome = try await salvage(path, to: saved)
      let read = try await contents(of: saved)
      for (offset, line) in read.ticks { #expect(line == expected[Int(offset) - 1]) }
      #expect(outcome.ticks >= Self.count - 60)
      #expect(isFound || outcome.lost == 0)
      #expect(try await LogVerification.of(path: saved, consumers: kinds).problems.first == [])
    } catch let error as LogError {
      #expect(error.code == .newerSchema)
    }
    try await append(path)
  }

  /// Reads as a shipper does, and checks.
  /// - Returns: whether anything was found to be wrong.
  private func check(_ path: String, _ expected: [String]) async throws -> Bool {
    do {
      let problems = try await LogVerification.of(path: path, consumers: kinds).problems
      let reader = try await LogReader(path: path)
      var bad = 0
      var next = Offset.first
      while next.rawValue <= Self.count {
        let page: TickPage
        do {
          page = try await reader.page(
            from: next, through: Offset(rawValue: Int64(Self.count)), maximumTicks: 150)
        } catch is LogError {
          // Said as the log's failure, and found.
          bad += 1
          break
        }
        guard let range = page.range else {
          bad += 1
          break
        }
        for (offset, line) in zip(page.offsets, lines(page.ticks)) {
          #expect(line == expected[Int(offset.rawValue) - 1])
        }
        bad += page.bad.count
        next = range.upperBound.next
      }
      try await reader.close()
      #expect(bad == 0 || !problems.isEmpty)
      return !problems.isEmpty
    } catch let error as LogError {
      #expect([.notALog, .newerSchema, .failed].contains(error.code))
      return true
    }
  }

  /// Opens it as `run` does: a refusal, or the next tick gets an offset that none had.
  private func append(_ path: String) async throws {
    let log: TickLog
    do {
      log = try await TickLog.open(path: path, options: .make(), logger: silent)
    } catch let error as LogError {
      #expect([.notALog, .newerSchema].contains(error.code), "\(error)")
      #expect(error.description.contains(path))
      return
    }
    do {
      let range = try await log.append(ticks(1, from: 401))
      #expect((range?.lowerBound.rawValue ?? 0) > Int64(Self.count))
    } catch let error as LogError {
      #expect(error.code == .failed)
    }
    do {
      try await log.close()
    } catch let error as LogError {
      #expect(error.code == .failed)
    }
  }

  @Test func `anywhere in the file`() async throws {
    var random = SplitMix64.forTest()
    try await withTemporaryFolder { folder in
      try await makeFullLog(folder + "/ticks.db", padding: 120)
      let whole = try bytes(of: folder + "/ticks.db")
      let expected = lines(ticks(Self.count, padding: 120))
      for round in 0..<150 {
        var damaged = whole
        // Every third time where the tables begin, on which all else hangs.
        let reach = round % 3 == 0 ? 18 * 4_096 : whole.count
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          damaged[.random(in: 0..<reach, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        }
        try await attack(damaged, folder, expected)
      }
    }
  }
}
