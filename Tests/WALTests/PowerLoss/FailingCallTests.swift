import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// The first, second, third … call on the log's files fails, until none does any more: SQLite's calls and the
/// program's own, from the lock to the last unlink. Whatever was confirmed is there afterwards.
///
/// `TICKWAL_FAILING_CALLS=all` makes each fail; otherwise each of the first 30 and then every fifth.
@Suite struct FailingCallTests {
  struct Fault: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let answer: SimulatedDisk.Answer
    let concerns: @Sendable (SimulatedDisk.Call) -> Bool
    /// Whether the writer waits for its end and then goes on.
    var isWaitedOut = false
  }

  static let faults = [
    Fault(testDescription: "EIO", answer: .fail(EIO), concerns: { _ in true }),
    Fault(
      testDescription: "ENOSPC", answer: .fail(ENOSPC),
      concerns: { $0.kind == .write || $0.kind == .open }, isWaitedOut: true),
    Fault(
      testDescription: "short write", answer: .short, concerns: { $0.kind == .write && $0.count > 1 },
      isWaitedOut: true),
  ]

  @Test(arguments: faults) func `any one failed call is harmless or clear`(_ fault: Fault) async throws {
    let isEvery = ProcessInfo.processInfo.environment["TICKWAL_FAILING_CALLS"] == "all"
    // How many calls there are is known when one run had no failure.
    let lanes = 6
    let failed = Shared(0)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for lane in 0..<lanes {
        group.addTask {
          var number = 0
          for nth in 1... {
            if !isEvery, nth > 30, nth % 5 != 0 { continue }
            number += 1
            guard number % lanes == lane else { continue }
            guard try await run(fault, nth: nth) else { return }
            failed.withLock { $0 += 1 }
          }
        }
      }
      try await group.waitForAll()
    }
    #expect(failed.current > 15)
  }

  /// - Returns: whether there was such a call.
  private func run(_ fault: Fault, nth: Int) async throws -> Bool {
    try await withSimulatedDisk { disk in
      let calls = Shared<(count: Int, failed: SimulatedDisk.Call?)>((0, nil))
      let isArmed = Shared(true)
      disk.watch(before: { call in
        guard isArmed.current, fault.concerns(call) else { return .proceed }
        return calls.withLock { calls in
          calls.count += 1
          guard calls.count == nth else { return .proceed }
          calls.failed = call
          return fault.answer
        }
      })
      let recorder = CrashRecorder(seed: UInt64(nth), writesBetween: 1)
      var walk = LogWalk(seed: 4)
      var history = [walk.model]
      let isStopped = try await use(disk, &walk, &history, recorder) { calls.current.failed?.kind }
      isArmed.withLock { $0 = false }
      let context: Comment = "call \(nth): \(calls.current.failed.map { "\($0)" } ?? "none")"
      // A file that cannot be made is not known for a full volume; it is made at the start alone, where nothing
      // waits, nor at the end.
      if fault.isWaitedOut, calls.current.failed?.kind == .write, let isStopped {
        #expect(isStopped.code == .diskFull, context)
      }
      let again = try await openLog(disk.folder)
      let found = try await contents(of: again)
      #expect(found.contradiction == nil, context)
      #expect(recorder.confirmed...history.count - 1 ~= found.revision, context)
      if history.indices.contains(found.revision) {
        let isAsWasAsked = found == history[found.revision]
        #expect(isAsWasAsked, context)
      }
      var next = LogWalk(seed: 1, from: found)
      let after = CrashRecorder(seed: 0, writesBetween: 1, confirmed: found.revision)
      let further = try await take(2, of: &next, on: again, after)
      let goesOn = try await contents(of: again) == further.last
      #expect(goesOn, context)
      // What the failure has left in the system's memory alone is on the disk by now, too.
      after.loseNow(disk, "\(context)")
      try await again.close()
      if nth % 5 == 0, let crash = after.crashes.first {
        try await check(crash, Array(history.prefix(found.revision)) + further, "\(context)")
      }
      return calls.current.failed != nil
    }
  }

  /// Opens, writes, reads, closes, opens and writes again, up to the first error.
  ///
  /// - Returns: that error, if it is not one of a reader.
  private func use(
    _ disk: SimulatedDisk, _ walk: inout LogWalk, _ history: inout [LogContents], _ recorder: CrashRecorder,
    failedKind: () -> SimulatedDisk.Call.Kind?
  ) async throws -> LogError? {
    for _ in 0..<2 {
      let log: TickLog
      do {
        log = try await openLog(disk.folder)
      } catch let error as LogError {
        expectClear(error, failedKind())
        return error
      }
      var failure: LogError?
      for number in 0..<6 {
        let step = walk.step()
        let revision = walk.model.revision
        history.append(walk.model)
        let request = LogWalk.request(for: step, after: walk.model)
        do {
          try await log.append(request.ticks, rejected: request.rejected, body: request.body)
          // Nothing is confirmed after a failure, on whatever it was.
          #expect(failure == nil)
          recorder.confirm(revision)
        } catch let error as LogError {
          #expect(error.code == .failed)
          #expect(try await log.failure().code == .failed)
          failure = error
        }
        if number == 3 {
          do {
            let found = try await contents(of: log)
            // After a failed commit the next start settles whether it counts; a reader may see it before.
            let last = failure == nil ? recorder.confirmed : history.count - 1
            #expect(recorder.confirmed...last ~= found.revision)
            let isAsWasWritten = found == history[found.revision]
            #expect(isAsWasWritten, "\(failedKind().map { "\($0)" } ?? "nothing") failed")
          } catch let error as LogError {
            expectClear(error, failedKind())
          }
        }
      }
      do {
        try await log.close()
      } catch let error as LogError {
        failure = failure ?? error
      }
      if let failure { return failure }
    }
    return nil
  }

  /// SQLite takes a file for damaged when a read of it fails (SQLITE_IOERR_CORRUPTFS), and also when it cannot find
  /// out whether there is a -wal.
  private func expectClear(_ error: LogError, _ failed: SimulatedDisk.Call.Kind?) {
    let codes: [LogError.Code] = [.failed, .diskFull, .unusablePath]
    let mayBe = codes + (failed == .read || failed == .stat ? [.notALog] : [])
    #expect(mayBe.contains(error.code), "\(error), \(failed.map { "\($0)" } ?? "nothing") failed")
  }
}
