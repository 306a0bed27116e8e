import Base
import CTestVFS
import Foundation
import LogFixtures
import TestSupport
import Testing

@testable import WAL

/// Writes and syncs of the log's files that fail. Needs no rights: the VFS makes them fail.
@Suite struct FaultTests {
  @Test func `an append is confirmed only after its sync`() async throws {
    let vfs = FaultVFS("confirmed-after-sync")
    try await withLog(options: .make(vfs: vfs.name)) { log, _ in
      for number in 1...30 {
        let before = vfs.count(CTESTVFS_WAL, CTESTVFS_SYNC)
        let seen = Latch<(syncs: Int, isSynced: Bool)>()
        let isTaken = try log.tryAppend(ticks(3, from: number)) { _ in
          seen.set((vfs.count(CTESTVFS_WAL, CTESTVFS_SYNC), vfs.isSynced(CTESTVFS_WAL)))
        }
        #expect(isTaken)
        let atCompletion = try await seen.wait()
        #expect(atCompletion.syncs > before)
        #expect(atCompletion.isSynced)
        // The same for everything else that is written.
        let writes = vfs.count(CTESTVFS_WAL, CTESTVFS_SYNC)
        try await log.write { try $0.setMeta("n", "\(number)") }
        #expect(vfs.count(CTESTVFS_WAL, CTESTVFS_SYNC) > writes)
        #expect(vfs.isSynced(CTESTVFS_WAL))
      }
    }
  }

  @Test(arguments: [EIO, ENOSPC]) func `a failed sync ends the writer for good`(_ error: Int32) async throws {
    let vfs = FaultVFS("failed-sync-\(error)")
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(vfs: vfs.name), logger: silent)
      try await log.append(ticks(5))
      let databaseWrites = vfs.count(CTESTVFS_DATABASE, CTESTVFS_WRITE)
      vfs.fail(CTESTVFS_SYNC, of: CTESTVFS_WAL, times: 1, error: error)
      let failure = try await logError { try await log.append(ticks(5, from: 6)) }
      #expect(failure.code == .failed)
      #expect(failure.description.contains("code 1034"))
      #expect(try await log.failure().code == .failed)
      #expect(!log.isDiskFull)
      let later = try await logError { try await log.append(ticks(5, from: 6)) }
      #expect(later.code == .failed)
      let hasRoom = Latch<Void>()
      log.whenRoom { hasRoom.set(()) }
      #expect(hasRoom.value != nil)
      let closing = try await logError { try await log.close() }
      #expect(closing.code == .failed)
      // One sync failed, and nothing was written or synced on these handles any more, not even at the end.
      #expect(vfs.failures(CTESTVFS_WAL, CTESTVFS_SYNC) == 1)
      #expect(!vfs.isSynced(CTESTVFS_WAL))
      #expect(vfs.count(CTESTVFS_DATABASE, CTESTVFS_WRITE) == databaseWrites)
      let again = try await TickLog.open(path: path, options: .make(vfs: vfs.name), logger: silent)
      #expect(again.head.rawValue == 5 || again.head.rawValue == 10)
      let next = Int(again.head.rawValue) + 1
      try await again.append(ticks(1, from: next))
      try await again.close()
      let read = try await contents(of: path)
      #expect((1...Int64(next)).map { read.ticks[$0] } == lines(ticks(next)))
    }
  }

  @Test func `everything queued behind a failure fails once and nothing twice`() async throws {
    let vfs = FaultVFS("queued-behind-failure")
    try await withTemporaryFolder { folder in
      let log = try await TickLog.open(
        path: folder + "/ticks.db", options: .make(vfs: vfs.name), logger: silent)
      let gate = Monitor(false)
      let inside = Latch<Void>()
      let calls = Shared<[Int: Int]>([:])
      let confirmed = Shared(0)
      func add(_ index: Int, body: (@Sendable (WriteTransaction) throws -> Void)? = nil) throws {
        let isTaken = try log.tryAppend(ticks(1), body: body) { result in
          calls.withLock { $0[index, default: 0] += 1 }
          if case .success = result { confirmed.withLock { $0 += 1 } }
        }
        #expect(isTaken)
      }
      try add(0) { _ in
        inside.set(())
        gate.wait { isOpen in isOpen ? .done(()) : .sleep }
      }
      try await inside.wait()
      for index in 1...50 { try add(index) }
      vfs.fail(CTESTVFS_SYNC, of: CTESTVFS_WAL, error: EIO)
      gate.withLock { $0 = true }
      gate.signal()
      _ = try await log.failure()
      _ = try await logError { try await log.close() }
      #expect(calls.current == Dictionary(uniqueKeysWithValues: (0...50).map { ($0, 1) }))
      #expect(confirmed.current == 0)
    }
  }

  @Test func `a failed write other than for room ends the writer`() async throws {
    let vfs = FaultVFS("failed-write")
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(vfs: vfs.name), logger: silent)
      try await log.append(ticks(5))
      vfs.fail(CTESTVFS_WRITE, of: CTESTVFS_WAL, times: 1, error: EIO)
      let error = try await logError { try await log.append(ticks(5)) }
      #expect(error.code == .failed)
      #expect(error.description.contains("code 778"))
      _ = try await logError { try await log.close() }
      #expect(try await contents(of: path).head == Offset(rawValue: 5))
    }
  }

  @Test func `a failed sync of the file itself is a failure too`() async throws {
    let vfs = FaultVFS("failed-database-sync")
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(vfs: vfs.name), logger: silent)
      try await log.append(ticks(5))
      vfs.fail(CTESTVFS_SYNC, of: CTESTVFS_DATABASE, error: ENOSPC)
      let error = try await logError { try await log.close() }
      #expect(error.code == .failed)
      #expect(vfs.failures(CTESTVFS_DATABASE, CTESTVFS_SYNC) == 1)
      vfs.heal(CTESTVFS_SYNC, of: CTESTVFS_DATABASE)
      let read = try await contents(of: path)
      #expect((1...5).map { read.ticks[$0] } == lines(ticks(5)))
    }
  }

  @Test func `a full volume is waited out and nothing is lost`() async throws {
    let vfs = FaultVFS("full-volume")
    let logs = RecordedLogs()
    try await withLog(options: .make(vfs: vfs.name, capacity: 20_000), logger: logs.logger) { log, path in
      try await log.append(ticks(10))
      vfs.fail(CTESTVFS_WRITE, of: CTESTVFS_WAL, error: ENOSPC)
      let confirmed = Shared<[OffsetRange]>([])
      var next = 11
      func tryNext() throws -> Bool {
        let isTaken = try log.tryAppend(ticks(10, from: next)) { result in
          do {
            let range = try #require(try result.get())
            confirmed.withLock { $0.append(range) }
          } catch {
            Issue.record(error)
          }
        }
        if isTaken { next += 10 }
        return isTaken
      }
      // The first group is on its way to the disk; what comes now stays in the queue until it is full.
      #expect(try tryNext())
      #expect(try await eventually { log.isDiskFull })
      while try tryNext() {}
      #expect(try !tryNext())
      #expect(confirmed.current == [])
      #expect(log.head == Offset(rawValue: 10))
      let room = Latch<Void>()
      log.whenRoom { room.set(()) }
      // Reading goes on.
      #expect(try await contents(of: path).ticks.count == 10)
      #expect(room.value == nil)
      vfs.heal(CTESTVFS_WRITE, of: CTESTVFS_WAL)
      try await room.wait()
      #expect(try tryNext())
      let total = next - 1
      _ = try await log.head { $0 > Offset(rawValue: Int64(total) - 1) }
      #expect(log.head == Offset(rawValue: Int64(total)))
      let read = try await contents(of: path)
      #expect((1...Int64(total)).map { read.ticks[$0] } == lines(ticks(total)))
      #expect(try await eventually { confirmed.current.count == (total - 10) / 10 })
      #expect(
        confirmed.current.map(\.lowerBound.rawValue)
          == Array(stride(from: Int64(11), to: Int64(total), by: 10)))
      #expect(!log.isDiskFull)
      // Said once when it began and once when it was over.
      #expect(logs.messages(.error).count == 1)
      #expect(logs.messages(.error).first?.contains("full") == true)
      #expect(logs.messages(.notice) == ["the log can be written again"])
    }
  }

  @Test func `stopping while the volume is full ends and confirms nothing`() async throws {
    let vfs = FaultVFS("stop-while-full")
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(vfs: vfs.name), logger: silent)
      try await log.append(ticks(10))
      vfs.fail(CTESTVFS_WRITE, of: CTESTVFS_WAL, error: ENOSPC)
      async let appended = log.append(ticks(10, from: 11))
      #expect(try await eventually { log.isDiskFull })
      let closing = try await logError { try await log.close() }
      #expect(closing.code == .diskFull)
      do {
        _ = try await appended
        Issue.record("it was confirmed without room for it")
      } catch let error as LogError {
        #expect(error.code == .diskFull)
      }
      #expect(try await contents(of: path).head == Offset(rawValue: 10))
    }
  }

  @Test func `no room for a checkpoint stops nothing`() async throws {
    let vfs = FaultVFS("no-room-for-checkpoint")
    let logs = RecordedLogs()
    try await withLog(options: .make(vfs: vfs.name), logger: logs.logger) { log, path in
      vfs.fail(CTESTVFS_WRITE, of: CTESTVFS_DATABASE, error: ENOSPC)
      for number in 0..<24 { try await log.append(ticks(1_000, from: number * 1_000 + 1, padding: 1_000)) }
      let tries = vfs.failures(CTESTVFS_DATABASE, CTESTVFS_WRITE)
      #expect((1...8).contains(tries))
      #expect(logs.messages(.warning).count == 1)
      #expect(!log.isDiskFull)
      vfs.heal(CTESTVFS_WRITE, of: CTESTVFS_DATABASE)
      try await log.append(ticks(5_000, from: 24_001, padding: 1_000))
      #expect(try await eventually { vfs.isSynced(CTESTVFS_DATABASE) })
      #expect(try await contents(of: path).ticks.count == 29_000)
    }
  }

  /// For the first, second, third … write, until none fails any more.
  @Test func `room missing for any one write loses nothing`() async throws {
    try await withThrowingTaskGroup(of: Int.self) { group in
      for nth in 1...12 {
        group.addTask {
          let vfs = FaultVFS("nth-write-\(nth)")
          return try await withLog(options: .make(vfs: vfs.name)) { log, path in
            vfs.fail(CTESTVFS_WRITE, of: CTESTVFS_WAL, first: nth, times: 1, error: ENOSPC)
            for number in 0..<4 { try await log.append(ticks(5, from: number * 5 + 1)) }
            let read = try await contents(of: path)
            #expect((1...20).map { read.ticks[$0] } == lines(ticks(20)), "write \(nth)")
            return vfs.failures(CTESTVFS_WAL, CTESTVFS_WRITE)
          }
        }
      }
      let failures = try await group.reduce(0, +)
      #expect(failures == 12, "every one of the writes must be one that the test makes")
    }
  }

  @Test func `any one failed sync keeps what was confirmed`() async throws {
    var nth = 1
    while true {
      let vfs = FaultVFS("nth-sync-\(nth)")
      let hasFailed = try await withTemporaryFolder { folder in
        let path = folder + "/ticks.db"
        let log = try await TickLog.open(path: path, options: .make(vfs: vfs.name), logger: silent)
        vfs.fail(CTESTVFS_SYNC, of: CTESTVFS_WAL, first: nth, times: 1, error: EIO)
        var confirmed = Offset.zero
        do {
          for number in 0..<6 {
            confirmed = try #require(try await log.append(ticks(5, from: number * 5 + 1))).upperBound
          }
          try await log.close()
        } catch let error as LogError {
          #expect(error.code == .failed)
          _ = try await logError { try await log.close() }
        }
        vfs.heal(CTESTVFS_SYNC, of: CTESTVFS_WAL)
        let again = try await TickLog.open(path: path, options: .make(vfs: vfs.name), logger: silent)
        #expect(again.head >= confirmed)
        #expect(again.head <= confirmed.advanced(by: 5))
        let next = Int(again.head.rawValue) + 1
        #expect(try await again.append(ticks(1, from: next))?.lowerBound.rawValue == Int64(next))
        try await again.close()
        let read = try await contents(of: path)
        #expect((1...Int64(next)).map { read.ticks[$0] } == lines(ticks(next)), "sync \(nth)")
        return vfs.failures(CTESTVFS_WAL, CTESTVFS_SYNC) > 0
      }
      if !hasFailed { break }
      nth += 1
    }
    #expect(nth > 6)
  }
}
