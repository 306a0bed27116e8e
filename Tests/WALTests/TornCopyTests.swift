import Inspect
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// Copies made with `cp` while the log is written: the file and its `-wal` are of different moments.
@Suite struct TornCopyTests {
  /// Each is refused, or has every tick as it was, or says itself that it is damaged; no offset ever has another
  /// tick than in the log.
  @Test func `a torn copy never passes for whole unless it is`() async throws {
    var random = SplitMix64.forTest()
    var options = TickLog.Options.make()
    options.checkpoints = CheckpointSchedule(passiveFrames: 12)
    try await withLog(options: options) { log, path in
      var written: [String] = []
      func append(commits: Int) async throws {
        for _ in 0..<commits {
          let batch = ticks(Int.random(in: 1...9, using: &random), from: written.count + 1, padding: 300)
          try await log.append(batch)
          written += lines(batch)
        }
      }
      func copy(_ suffix: String, _ target: String) throws {
        let result = try runProgram("cp", [path + suffix, target + suffix])
        try #require(result.status == 0, "\(result.errors)")
      }
      var outcomes: [Outcome: Int] = [:]
      for round in 0..<60 {
        let target = "\(path)-copy-\(round)"
        try await append(commits: Int.random(in: 1...12, using: &random))
        let order = Bool.random(using: &random) ? ["", "-wal"] : ["-wal", ""]
        try copy(order[0], target)
        try await append(
          commits: Int.random(in: 0...[1, 6, 60].randomElement(using: &random)!, using: &random))
        try copy(order[1], target)
        outcomes[try await look(at: target, written), default: 0] += 1
      }
      #expect(outcomes.count == 3, "\(outcomes)")
    }
  }

  private enum Outcome { case refused, whole, damaged }

  private func look(at path: String, _ written: [String]) async throws -> Outcome {
    do {
      let log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.close()
    } catch let error as LogError {
      #expect(error.code == .notALog, "\(error)")
      return .refused
    }
    let problems = try await LogVerification.of(path: path, consumers: kinds).problems
    do {
      let read = try await contents(of: path)
      for (offset, line) in read.ticks { #expect(line == written[Int(offset) - 1], "offset \(offset)") }
      let isWhole = read.bad.isEmpty && Int64(read.ticks.count) == read.head.rawValue
      #expect(isWhole || !problems.isEmpty, "of \(read.head), \(read.bad.count) are bad")
      return problems.isEmpty ? .whole : .damaged
    } catch let error as SQLiteError {
      #expect(error.isCorruption && !problems.isEmpty)
      return .damaged
    } catch let error as LogError {
      #expect(!problems.isEmpty, "\(error)")
      return .damaged
    }
  }
}
