import Base
import CTestVFS
import LogFixtures
import TestSupport
import Testing

@testable import WAL

@Suite struct AppendTests {
  @Test func `offsets are dense in order and the ticks are as given`() async throws {
    try await withLog { log, path in
      #expect(log.head == .zero)
      #expect(try await log.append(TickBatch()) == nil)
      #expect(try await log.append(ticks(3)) == offsets(1...3))
      #expect(try await log.append(ticks(1, from: 4)) == offsets(4...4))
      #expect(log.head == Offset(rawValue: 4))
      let read = try await contents(of: path)
      #expect(read.ticks.keys.sorted() == [1, 2, 3, 4])
      for (number, line) in zip(Int64(1)..., lines(ticks(4))) { #expect(read.ticks[number] == line) }
      #expect(read.bad == [])
    }
  }

  @Test func `payloads come back byte for byte`() async throws {
    try await withLog { log, path in
      var batch = TickBatch()
      for payload in [
        "{}", "{ \"é\" : \"€😀\\u0000\" }", "", "\u{0}{\u{0}}", String(repeating: "a", count: 3 << 20),
      ] {
        batch.append(receivedAt: .min, eventTime: .max, stream: "币@x", payload: payload)
        batch.append(receivedAt: .max, eventTime: nil, stream: "", payload: payload)
      }
      try await log.append(batch)
      let read = try await contents(of: path)
      #expect((1...10).map { read.ticks[$0] } == lines(batch))
    }
  }

  @Test func `concurrent appenders share the offsets without holes each in its order`() async throws {
    let random = SplitMix64.forTest()
    try await withLog { log, path in
      let given = Shared<[Int64: String]>([:])
      try await withThrowingTaskGroup(of: Void.self) { group in
        for appender in 0..<8 {
          group.addTask { [random] in
            var random = random
            for _ in 0..<appender { _ = random.next() }
            var last = Offset.zero
            for round in 0..<60 {
              let batch = ticks(.random(in: 1...40, using: &random), from: appender * 100_000 + round * 100)
              let range = try #require(try await log.append(batch))
              #expect(range.lowerBound > last)
              #expect(range.length == batch.count)
              last = range.upperBound
              given.withLock { given in
                for (index, line) in lines(batch).enumerated() {
                  #expect(given.updateValue(line, forKey: range.lowerBound.rawValue + Int64(index)) == nil)
                }
              }
            }
          }
        }
        try await group.waitForAll()
      }
      let expected = given.current
      #expect(expected.keys.sorted() == Array(1...log.head.rawValue))
      #expect(try await contents(of: path).ticks == expected)
    }
  }

  @Test func `offsets go on after reopening and are not reused when rows were deleted`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      var log = try await TickLog.open(path: path, options: .make(), logger: silent)
      try await log.append(ticks(10))
      try await log.close()
      log = try await TickLog.open(path: path, options: .make(), logger: silent)
      #expect(log.head == Offset(rawValue: 10))
      #expect(try await log.append(ticks(2, from: 11)) == offsets(11...12))
      try await log.close()
      try alter(path, "DELETE FROM ticks")
      log = try await TickLog.open(path: path, options: .make(), logger: silent)
      #expect(log.head == Offset(rawValue: 12))
      #expect(try await log.append(ticks(1, from: 13)) == offsets(13...13))
      try await log.close()
    }
  }

  @Test func `the head is stored with its ticks`() async throws {
    try await withLog { log, path in
      let reader = try await log.makeReader()
      for number in 1...5 {
        try await log.append(ticks(7, from: number))
        #expect(try await reader.head() == Offset(rawValue: Int64(number) * 7))
        #expect(
          try await reader.text("SELECT typeof(value) || value FROM meta WHERE key = 'head'")
            == "integer\(number * 7)")
      }
      try await reader.close()
    }
  }

  @Test func `a confirmed append is seen by every reader and is in the files at once`() async throws {
    try await withLog { log, path in
      let reader = try await log.makeReader()
      for number in 1...5 {
        let range = try #require(try await log.append(ticks(3, from: number * 3 - 2)))
        let page = try await reader.page(from: range.lowerBound, maximumTicks: 10)
        #expect(page.range == range)
        let copy = path + ".copy\(number)"
        try copyFiles(of: path, to: copy)
        let reopened = try await TickLog.open(path: copy, options: .make(), logger: silent)
        #expect(reopened.head == range.upperBound)
        try await reopened.close()
        let read = try await contents(of: copy)
        #expect(read.bad == [])
        #expect((1...Int64(number * 3)).map { read.ticks[$0] } == lines(ticks(number * 3)))
      }
      try await reader.close()
    }
  }

  @Test func `waiting for the head ends when it moves`() async throws {
    try await withLog { log, _ in
      async let moved = log.head { $0 > Offset(rawValue: 2) }
      try await log.append(ticks(2))
      try await log.append(ticks(2, from: 3))
      #expect(try await moved == Offset(rawValue: 4))
      #expect(try await log.head { $0 > .zero } == Offset(rawValue: 4))
    }
  }

  @Test func `requests that wait together share one commit`() async throws {
    let vfs = FaultVFS("shared-commit")
    // The writer waits for its thousand ticks, or for longer than the test runs.
    try await withLog(options: .make(vfs: vfs.name, linger: .seconds(3_600))) { log, _ in
      let before = vfs.count(CTESTVFS_WAL, CTESTVFS_SYNC)
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<100 { group.addTask { try await log.append(ticks(10)) } }
        try await group.waitForAll()
      }
      // The first commit also syncs the new WAL's header.
      #expect(vfs.count(CTESTVFS_WAL, CTESTVFS_SYNC) - before <= 2)
      #expect(log.head == Offset(rawValue: 1_000))
    }
  }

  @Test func `closing commits what is queued and refuses what comes after`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: .make(linger: .seconds(3_600)), logger: silent)
      let completed = Latch<OffsetRange?>()
      let isTaken = try log.tryAppend(ticks(5)) { result in
        do { completed.set(try result.get()) } catch { Issue.record(error) }
      }
      #expect(isTaken)
      try await log.close()
      #expect(completed.value == offsets(1...5))
      let error = try await logError { try await log.append(ticks(1)) }
      #expect(error.code == .closed)
      try await log.close()
      let hasRoom = Latch<Bool>()
      log.whenRoom { hasRoom.set(true) }
      #expect(hasRoom.value == true)
      #expect(try await contents(of: path).head == Offset(rawValue: 5))
    }
  }

  @Test func `a request larger than the queue is taken`() async throws {
    try await withLog(options: .make(capacity: 1_000)) { log, _ in
      let range = try await log.append(ticks(100))
      #expect(range == offsets(1...100))
    }
  }

  /// The row's CRC-32 as Python's `zlib.crc32` makes it of the documented bytes.
  @Test func `the checksum is the documented one`() {
    func checksum(_ eventTime: Int64?) -> UInt32 {
      Array("btcusdt@trade".utf8).withUnsafeBytes { stream in
        Array("{\"e\":\"trade\"}".utf8).withUnsafeBytes { payload in
          Checksum.row(
            offset: Offset(rawValue: 7), receivedAt: someTime, eventTime: eventTime, stream: stream,
            payload: payload)
        }
      }
    }
    #expect(checksum(1_795_238_000_123) == 0x1cd3_5128)
    #expect(checksum(nil) == 0x161a_fe20)
  }
}
