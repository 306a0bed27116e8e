import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import Inspect
@testable import WAL

/// Pages and whole files of a log overwritten at random: no trap, and never a wrong tick.
///
/// `TICKWAL_PAGE_FUZZ=n` does n times as much as `make test`.
@Suite struct PageFuzzTests {
  private static let factor =
    ProcessInfo.processInfo.environment["TICKWAL_PAGE_FUZZ"].flatMap { Int($0) } ?? 1

  /// A row that claims columns of 4 EiB each, as an exchange can send it in 57 bytes that are kept as a dead letter:
  /// it lies on a page of the file then.
  @Test func `columns that claim to be of any length are no row`() throws {
    let claim: [UInt8] = [0xBF] + [UInt8](repeating: 0xFF, count: 8)
    for claims in 1...6 {
      let types = (0..<6).flatMap { $0 < claims ? claim : [0] }
      let row: [UInt8] = [100, 1, UInt8(1 + types.count)] + types
      var page = [UInt8](repeating: 0, count: 4_096)
      page.replaceSubrange(64..<64 + row.count, with: row)
      let leaf = LeafPage(page, reserved: 0, pages: 10) { (_) throws(LogError) in nil }
      for isTable in [true, false] {
        #expect(try leaf.rows(columns: 6, isTable: isTable, everywhere: true).isEmpty)
      }
    }
  }

  @Test func `pages overwritten at random are read without a trap`() async throws {
    var random = SplitMix64.forTest()
    try await withTemporaryFolder { folder in
      try await makeFullLog(folder + "/ticks.db")
      let whole = try bytes(of: folder + "/ticks.db")
      for _ in 0..<600 * Self.factor {
        let number = Int.random(in: 1..<whole.count / 4_096, using: &random)
        var page = Array(whole[number * 4_096..<(number + 1) * 4_096])
        for _ in 0..<Int.random(in: 1...20, using: &random) {
          Self.overwrite(&page, reach: page.count, &random)
        }
        let leaf = LeafPage(page, reserved: 0, pages: whole.count / 4_096) { (other) throws(LogError) in
          let start = Int(other) * 4_096
          return start + 4_096 <= whole.count ? Array(whole[start..<start + 4_096]) : nil
        }
        for (columns, isTable) in [(6, true), (2, false), (1, true), (12, false)] {
          for everywhere in [true, false] {
            _ = try leaf.rows(columns: columns, isTable: isTable, everywhere: everywhere)
          }
        }
        var witness = WALWitness()
        try witness.note(page[...])
      }
    }
  }

  @Test(arguments: [false, true])
  func `files overwritten at random are refused, or read without a wrong tick`(hasWAL: Bool) async throws {
    var random = SplitMix64.forTest()
    try await withTemporaryFolder { folder in
      let (source, path, saved) = (folder + "/ticks.db", folder + "/damaged.db", folder + "/saved.db")
      let expected = lines(ticks(200))
      try await makeFullLog(source, ticks: 200)
      var whole = ["": try bytes(of: source)]
      if hasWAL {
        // As a process that was killed leaves them.
        let log = try await TickLog.open(path: source, options: .make(), logger: silent)
        for number in 0..<5 { try await log.write { try $0.setMeta("x", "\(number)") } }
        try copyFiles(of: source, to: folder + "/copy.db")
        try await log.close()
        whole = ["": try bytes(of: folder + "/copy.db"), "-wal": try bytes(of: folder + "/copy.db-wal")]
      }
      for _ in 0..<40 * Self.factor {
        for name in [path, saved] { for suffix in ["", "-wal", "-shm", ".lock"] { unlink(name + suffix) } }
        for (suffix, bytes) in whole {
          var damaged = bytes
          for _ in 0..<Int.random(in: 1...8, using: &random) {
            Self.overwrite(&damaged, reach: Bool.random(using: &random) ? damaged.count : 4_096, &random)
          }
          try write(damaged, to: path + suffix)
        }
        do {
          let outcome = try await salvage(path, to: saved)
          let read = try await contents(of: saved)
          for (offset, line) in read.ticks where offset <= 200 { #expect(line == expected[Int(offset) - 1]) }
          #expect(read.ticks.count == outcome.ticks)
        } catch {
          #expect(error is LogError, "\(error)")
        }
        do {
          _ = try await LogVerification.of(path: path, consumers: kinds)
          let reader = try await LogReader(path: path)
          _ = try await reader.status()
          try await reader.close()
          for (offset, line) in try await contents(of: path).ticks where offset <= 200 {
            #expect(line == expected[Int(offset) - 1])
          }
        } catch {
          #expect(error is LogError || error is SQLiteError, "\(error)")
        }
      }
    }
  }

  /// Some bytes become others: single ones, numbers that claim much, a stretch of one byte, a stretch from elsewhere.
  private static func overwrite(_ bytes: inout [UInt8], reach: Int, _ random: inout SplitMix64) {
    let start = Int.random(in: 0..<min(reach, bytes.count), using: &random)
    let rest = bytes.count - start
    switch Int.random(in: 0..<4, using: &random) {
    case 0: bytes[start] = .random(in: 0...255, using: &random)
    case 1:
      let claims: [[UInt8]] = [
        [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0xBF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        [0x7F, 0xFF], [0x80, 0x00], [0x00, 0x00, 0x00, 0x01],
      ]
      let claim = claims.randomElement(using: &random) ?? []
      bytes.replaceSubrange(start..<start + min(rest, claim.count), with: claim.prefix(rest))
    case 2:
      let length = min(rest, Int.random(in: 1...300, using: &random))
      bytes.replaceSubrange(
        start..<start + length,
        with: [UInt8](repeating: [0x00, 0xFF, 0x0D].randomElement(using: &random) ?? 0, count: length))
    default:
      let length = min(rest, Int.random(in: 1...300, using: &random))
      let from = Int.random(in: 0...bytes.count - length, using: &random)
      bytes.replaceSubrange(start..<start + length, with: Array(bytes[from..<from + length]))
    }
  }
}
