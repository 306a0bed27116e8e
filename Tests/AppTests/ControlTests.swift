import Base
import Foundation
import Glibc
import Logging
import Shippers
import Synchronization
import TestSupport
import Testing

@testable import struct Ingest.FeedStatistics
@testable import WAL
@testable import tickwal

@Suite(.timeLimit(.minutes(2))) struct ControlTests {
  private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// A log of ten ticks with a consumer, in a folder of its own.
  private func withLog(
    in subfolder: String = "", logger: Logger? = nil,
    _ body: (_ log: TickLog, _ path: String) async throws -> Void
  ) async throws {
    try await withTemporaryFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder + subfolder, withIntermediateDirectories: true)
      let path = folder + subfolder + "/ticks.db"
      let log = try await TickLog.open(path: path, options: TickLog.Options(), logger: quiet)
      let result: Result<Void, any Error>
      do {
        var batch = TickBatch()
        for number in 1...10 {
          batch.append(
            receivedAt: Int64(number), eventTime: nil, stream: "btcusdt@trade", payload: "{\"n\":\(number)}")
        }
        _ = try await log.enable(
          [ConsumerRequest(name: .dynamodb, destination: "{}")], acceptDestinations: false, logger: quiet)
        try await log.append(
          batch,
          rejected: [
            RejectedInput(payload: Array("rubbish".utf8), cause: "no JSON"),
            RejectedInput(
              payload: Array(#"{"stream":"btcusdt@trade","data":{"e":"trade"}}"#.utf8), cause: "not yet"),
          ])
        try await log.write { try $0.commit(.dynamodb, next: Offset(rawValue: 11)) }
        result = .success(try await body(log, path))
      } catch {
        result = .failure(error)
      }
      try await log.close()
      try result.get()
    }
  }

  private func operations(_ log: TickLog) -> Operations {
    Operations(log: log, loops: [], shipping: { .none }, logger: quiet)
  }

  /// Serves the log beside `body`.
  private func serving(_ log: TickLog, _ body: @escaping @Sendable () async throws -> Void) async throws {
    try await serving(operations(log), body)
  }

  private func serving(
    _ operations: Operations, logger: Logger? = nil, _ body: @escaping @Sendable () async throws -> Void
  ) async throws {
    let server = ControlServer(operations: operations, logger: logger ?? quiet)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      defer { group.cancelAll() }
      let address = ControlAddress(logPath: operations.log.path)
      let isThere = try await eventually { access(address.path, F_OK) == 0 }
      try #require(isThere)
      try await body()
      group.cancelAll()
      try await group.waitForAll()
    }
  }

  private func talk(_ path: String, _ bytes: [UInt8], endsOutput: Bool = false) async throws -> [UInt8] {
    try await Stranger().talk(path, bytes, endsOutput: endsOutput)
  }

  private func answer(_ bytes: [UInt8]) throws -> ControlAnswer {
    try ControlLine.decode(ControlAnswer.self, bytes)
  }

  // MARK: The socket

  @Test func `a request is one line and so is its answer`() async throws {
    try await withLog { log, path in
      try await serving(log) {
        let line = #"{"version":1,"command":"seek","consumer":"dynamodb","offset":4}"# + "\n"
        let said = try answer(try await talk(path, Array(line.utf8)))
        let seek = try #require(said.seek)
        #expect((seek.from, seek.to, seek.enabled) == (11, 4, true))
        var info = stat()
        #expect(stat(path + ".sock", &info) == 0 && info.st_mode & 0o777 == 0o600)
      }
      #expect(access(path + ".sock", F_OK) != 0, "the name goes before the lock")
    }
  }

  @Test func `what is not understood is answered and the next one is heard`() async throws {
    try await withLog { log, path in
      try await serving(log) {
        for (text, said) in [
          ("rubbish", "not understood"), (#"{"version":2,"command":"other"}"#, "version 1"),
          (#"{"version":1,"command":"other"}"#, "not understood"),
          (#"{"version":1,"command":"seek","offset":4}"#, "needs a consumer"),
          (#"{"version":1,"command":"seek","consumer":"x","offset":4}"#, "it has dynamodb"),
          (#"{"version":1,"command":"dead-letters retry","ids":[]}"#, "ids must be"),
        ] {
          let answered = try answer(try await talk(path, Array((text + "\n").utf8)))
          let error = try #require(answered.error, "\(text)")
          #expect(error.message.contains(said), "\(text): \(error.message)")
          #expect(error.exitCode == 1)
        }
        // Half a line, and one that does not end: dropped without an answer.
        await #expect(throws: SystemError.self) {
          _ = try await talk(path, Array("{".utf8), endsOutput: true)
        }
        await #expect(throws: SystemError.self) {
          _ = try await talk(path, [UInt8](repeating: 0x20, count: ControlRequest.maximumBytes + 10_000))
        }
        let line = #"{"version":1,"command":"seek","consumer":"dynamodb","offset":11}"# + "\n"
        let last = try answer(try await talk(path, Array(line.utf8)))
        #expect(last.seek?.to == 11)
      }
    }
  }

  @Test func `the socket of a killed process is replaced and anything else is not`() async throws {
    try await withLog { log, path in
      let address = ControlAddress(logPath: path)
      let stale = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      try address.withSocketAddress { (address, length) throws(SystemError) in
        guard bind(stale, address, length) == 0 else { throw SystemError.last("bind") }
      }
      close(stale)
      try await serving(log) {
        let isServed = try await eventually {
          do {
            _ = try await talk(path, Array("rubbish\n".utf8))
            return true
          } catch is SystemError {
            return false
          }
        }
        #expect(isServed)
      }
      try Data("mine".utf8).write(to: URL(fileURLWithPath: path + ".sock"))
      let logs = RecordedLogs()
      // Ends at once, and nothing else does.
      try await ControlServer(operations: operations(log), logger: logs.logger).run()
      #expect(logs.messages(.error).count == 1)
      #expect(try String(contentsOfFile: path + ".sock", encoding: .utf8) == "mine")
    }
  }

  @Test func `a socket that somebody has removed is made anew`() async throws {
    try await withLog { log, path in
      try await serving(log) {
        let isThere = try await eventually { access(path + ".sock", F_OK) == 0 }
        #expect(isThere && unlink(path + ".sock") == 0)
        // It wakes the thread, which has looked for its name a moment ago, or not.
        let isBack = try await eventually { access(path + ".sock", F_OK) == 0 }
        #expect(isBack)
        _ = try answer(try await talk(path, Array("rubbish\n".utf8)))
      }
      #expect(access(path + ".sock", F_OK) != 0)
    }
  }

  @Test func `a path that is too long for a socket is reached through its folder`() async throws {
    let long = "/" + String(repeating: "long", count: 20) + "/" + String(repeating: "path", count: 20)
    try await withLog(in: long) { log, path in
      #expect(path.utf8.count > 150)
      try await serving(log) {
        let client = try ControlClient(ControlAddress(logPath: path))
        let answer = try await client.ask(
          .seek(SeekRequest(consumer: .dynamodb, offset: Offset(rawValue: 2)), dryRun: true))
        #expect(answer.seek?.to == 2)
      }
    }
  }

  @Test func `clients that say nothing cost nobody else anything`() async throws {
    try await withLog { log, path in
      try await serving(log) {
        let stranger = Stranger()
        // More than there are places.
        for _ in 1...ControlClients.limit + 8 { try await stranger.connectAndWait(path) }
        let line = #"{"version":1,"command":"seek","consumer":"dynamodb","offset":4}"# + "\n"
        #expect(try answer(try await talk(path, Array(line.utf8))).seek?.to == 4)
        await stranger.hangUp()
      }
    }
  }

  @Test func `a look at the feed is answered while something else is done`() async throws {
    try await withLog { log, path in
      try await log.write {
        try $0.add(
          DeadLetter(
            offset: Offset(rawValue: 5), consumer: .dynamodb, cause: "bad", attempts: 1, payload: []))
      }
      let (isAsked, mayGoOn) = (Latch<Void>(), Latch<Void>())
      let operations = Operations(
        log: log, loops: [],
        shipping: {
          isAsked.set(())
          try await mayGoOn.wait()
          return .none
        }, logger: quiet)
      try await serving(operations) {
        async let retried = ControlClient(ControlAddress(logPath: path)).ask(
          .deadLetters(.retry, [.init(rawValue: 3)]))
        try await isAsked.wait()
        let observer = try FeedObserver(logPath: path)
        let none = FeedView.told(ControlAnswer.Feed(state: .none))
        #expect(try await eventually { await observer.look(writerPID: 1) == none })
        mayGoOn.set(())
        #expect(try await retried.letters?.map(\.outcome) == [.untried])
      }
    }
  }

  @Test func `an end in the middle of something is told to who asked`() async throws {
    try await withLog { log, path in
      try await log.write {
        try $0.add(
          DeadLetter(
            offset: Offset(rawValue: 5), consumer: .dynamodb, cause: "bad", attempts: 1, payload: []))
      }
      let isAsked = Latch<Void>()
      let operations = Operations(
        log: log, loops: [],
        shipping: {
          isAsked.set(())
          try await Latch<Void>().wait()
          return .none
        }, logger: quiet)
      let asking = Latch<Task<CommandFailure?, any Error>>()
      try await serving(operations) {
        asking.set(
          Task {
            await #expect(throws: CommandFailure.self) {
              _ = try await ControlClient(ControlAddress(logPath: path)).ask(
                .deadLetters(.retry, [.init(rawValue: 3)]))
            }
          })
        try await isAsked.wait()
      }
      let failure = try await asking.wait().value
      #expect(failure?.lines == [Operations.endingNow])
    }
  }

  @Test func `a holder that is stopped is named once and then given up`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let deaf = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(deaf) }
      try ControlAddress(logPath: path).withSocketAddress { (address, length) throws(SystemError) in
        guard bind(deaf, address, length) == 0, listen(deaf, 1) == 0 else { throw SystemError.last("bind") }
      }
      let patience = HolderPatience(silence: .milliseconds(60), pause: .milliseconds(20))
      // Those behind the first ones have no place in its queue.
      for _ in 1...4 {
        let said = Watch(0)
        let failure = await #expect(throws: CommandFailure.self) {
          _ = try await ControlClient(ControlAddress(logPath: path)).ask(
            .deadLetters(.discard, [.init(rawValue: 3)]), patience: patience
          ) { said.update { $0 += 1 } }
        }
        #expect(said.value == 1)
        #expect(failure?.lines.first?.contains("gave no answer (none within") == true)
      }
    }
  }

  @Test func `a name that is too long is said`() {
    let address = ControlAddress(logPath: "/tmp/" + String(repeating: "x", count: 120))
    let error = #expect(throws: SystemError.self) { try address.withSocketAddress { (_, _) in } }
    #expect(error?.description.contains("too long") == true)
  }

  // MARK: The feed

  private func feedOperations(
    _ log: TickLog, _ feed: @escaping @Sendable () -> ControlAnswer.Feed
  ) -> Operations {
    Operations(log: log, loops: [], shipping: { .none }, logger: quiet, feed: feed)
  }

  @Test func `the feed is told as it stands`() async throws {
    try await withLog { log, path in
      let feed = ControlAnswer.Feed(
        state: .running, connected: true, since: 7, connections: 1, plannedConnections: 2, streams: 9,
        granted: 8, refused: .init(count: 1, names: ["x@trade"]), nextAttemptAt: 11)
      try await serving(feedOperations(log) { feed }) {
        let observer = try FeedObserver(logPath: path)
        // A look lasts a second at most, which a busy machine may need for other things.
        #expect(try await eventually { await observer.look(writerPID: 1) == .told(feed) })
        let said = try await talk(path, Array(#"{"version":1,"command":"feed"}"#.utf8) + [0x0A])
        #expect(
          String(decoding: said, as: UTF8.self) == #"""
            {"feed":{"connected":true,"connections":1,"granted":8,"next_attempt_at":11,"paused":false,\#
            "planned_connections":2,"refused":{"count":1,"names":["x@trade"]},"silent":{"count":0,"names":[]},\#
            "since":7,"state":"running","streams":9},"version":1}
            """#)
      }
      try await serving(log) {
        let observer = try FeedObserver(logPath: path)
        #expect(
          try await eventually {
            await observer.look(writerPID: 1) == .told(ControlAnswer.Feed(state: .none))
          })
      }
    }
  }

  @Test func `who does not listen or does not answer is not waited for`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      let observer = try FeedObserver(logPath: path)
      #expect(await observer.look(writerPID: nil) == .noProcess)
      #expect(await observer.look(writerPID: 1) == .notListening)
      let deaf = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(deaf) }
      try ControlAddress(logPath: path).withSocketAddress { (address, length) throws(SystemError) in
        guard bind(deaf, address, length) == 0, listen(deaf, 0) == 0 else { throw SystemError.last("bind") }
      }
      // The second one has no place in its queue.
      for _ in 1...3 {
        guard case .noAnswer(let why) = await observer.look(writerPID: 1) else {
          Issue.record("there was an answer")
          continue
        }
        #expect(why.hasPrefix("no answer within 1 s"))
      }
    }
  }

  @Test func `nothing is said of one who only looked and has gone`() async throws {
    try await withLog { log, path in
      let (logs, gone) = (RecordedLogs(), DispatchSemaphore(value: 0))
      let operations = feedOperations(log) {
        gone.wait()
        return ControlAnswer.Feed(state: .starting)
      }
      try await serving(operations, logger: logs.logger) {
        try await Stranger().leave(path, asking: .feed)
        gone.signal()
        gone.signal()
        // Heard after it.
        _ = try await talk(path, try ControlLine.encode(ControlRequest.feed))
      }
      #expect(logs.messages(.warning).isEmpty)
    }
  }

  @Test func `a feed whose loop does not turn is not called connected`() {
    func feed(turnedAt: Duration?) -> ControlAnswer.Feed {
      var statistics = FeedStatistics()
      statistics.turnedAt = turnedAt
      statistics.connectedSince = 5
      return ControlAnswer.Feed(statistics, now: .seconds(100))
    }
    #expect(feed(turnedAt: .seconds(99)).connected && feed(turnedAt: .seconds(99)).state == .running)
    #expect(!feed(turnedAt: .seconds(90)).connected && feed(turnedAt: .seconds(90)).state == .stuck)
    #expect(feed(turnedAt: nil).state == .starting && ControlAnswer.Feed(nil).state == .starting)
  }

  // MARK: Whom to ask

  private func logOperator(_ path: String) throws -> LogOperator {
    var logOperator = LogOperator(
      settings: try configuration(["WAL_PATH": path]), logger: quiet, makeShipping: { .none })
    logOperator.patience = .zero
    return logOperator
  }

  @Test func `who has the log open is asked and else it is opened`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/copy.db"
      try await withLog { log, open in
        let request = ControlRequest.seek(
          SeekRequest(consumer: .dynamodb, offset: Offset(rawValue: 3)), dryRun: false)
        // The lock is held, and nobody listens.
        let deaf = await #expect(throws: CommandFailure.self) { _ = try await logOperator(open).ask(request) }
        #expect(deaf?.exitCode == .logInUse)
        #expect(deaf?.lines.first?.contains("process \(getpid())") == true)
        try await serving(log) {
          let answer = try await logOperator(open).ask(request)
          #expect(answer.seek?.to == 3)
          let refused = await #expect(throws: CommandFailure.self) {
            _ = try await logOperator(open).ask(
              .seek(SeekRequest(consumer: .dynamodb, offset: Offset(rawValue: 99)), dryRun: false))
          }
          #expect(refused?.exitCode == .problems && refused?.lines.first?.contains("99") == true)
        }
        _ = try await log.write { try $0.commit(.dynamodb, next: Offset(rawValue: 11)) }
      }
      let log = try await TickLog.open(path: path, options: TickLog.Options(), logger: quiet)
      try await log.close()
      await #expect(throws: CommandFailure.self) {
        _ = try await logOperator(path).ask(
          .seek(SeekRequest(consumer: .dynamodb, offset: .first), dryRun: false))
      }
      // It was given back.
      try await TickLog.open(path: path, options: TickLog.Options(), logger: quiet).close()
    }
  }

  // MARK: Dead letters

  @Test func `input that is a tick now is appended as received then`() async throws {
    try await withLog { log, _ in
      let reader = try await log.makeReader()
      let createdAt = try #require(try await reader.deadLetter(.init(rawValue: 2))).createdAt
      let answer = await operations(log).answer(
        .deadLetters(.retry, [1, 2, 9].map { .init(rawValue: $0) }))
      #expect(answer.letters?.map(\.outcome) == [.refused, .delivered, .unknown])
      #expect(answer.letters?[1].detail == "appended at offset 11")
      let page = try await reader.page(from: Offset(rawValue: 11), maximumTicks: 1)
      #expect(page.ticks.entries.first?.receivedAt == createdAt)
      let left = try await reader.deadLetters(of: .feed, atMost: 9, payload: 100)
      #expect(left.map(\.id.rawValue) == [1])
      #expect(left.first?.letter.attempts == 2 && left.first?.letter.cause != "no JSON")
      try await reader.close()
    }
  }

  @Test func `a tick that nobody here delivers stays and a discarded one is skipped`() async throws {
    try await withLog { log, _ in
      try await log.write {
        try $0.add(
          DeadLetter(
            offset: Offset(rawValue: 5), consumer: .dynamodb, cause: "bad", attempts: 1, payload: []))
      }
      let three = KeptDeadLetter.ID(rawValue: 3)
      let retried = await operations(log).answer(.deadLetters(.retry, [three]))
      #expect(retried.letters?.map(\.outcome) == [.untried])
      let reader = try await log.makeReader()
      #expect(try await reader.deadLetter(three)?.letter.attempts == 1)
      let discarded = await operations(log).answer(.deadLetters(.discard, [three, three]))
      #expect(discarded.letters?.map(\.outcome) == [.discarded, .discarded])
      #expect(try await reader.skipped(of: .dynamodb, in: .first...Offset(rawValue: 10)).count == 1)
      try await reader.close()
    }
  }

  // MARK: Reports

  @Test func `a seek is told as it was or would be`() {
    func lines(_ from: Int64, _ to: Int64, requested: Int64? = nil, dryRun: Bool = false) -> [String] {
      SeekReport(
        ControlAnswer.Seek(
          consumer: "s3", enabled: true, requested: requested ?? to, from: from, to: to,
          batches: from == to ? 0 : 2, deadLetters: 0), dryRun: dryRun
      ).lines
    }
    #expect(
      lines(5_001, 501, requested: 700) == [
        "s3 reads offset 501 next, before 5,001: 4,500 ticks are delivered again, 2 batches among them under their own keys",
        "offset 700 is in the batch that begins at 501",
      ])
    #expect(lines(1, 3, dryRun: true)[0].contains("would be skipped, 2 batches that were open among them"))
    #expect(lines(7, 7) == ["s3 reads offset 7 next already"])
  }

  @Test func `a letter is told with its payload`() {
    func kept(_ payload: [UInt8], bytes: Int? = nil) -> KeptDeadLetter {
      KeptDeadLetter(
        id: .init(rawValue: 7),
        letter: DeadLetter(offset: nil, consumer: .feed, cause: "no\nJSON", attempts: 1, payload: payload),
        payloadBytes: bytes ?? payload.count, createdAt: 1_795_238_000_123_456)
    }
    let document = DeadLetterReport.document(kept([0xFF, 0x00])).text
    #expect(document.contains(#""payload":null,"payload_base64":"/wA=""#))
    // Cut off within a character.
    let cut = DeadLetterReport.document(kept(Array("gr\u{F6}".utf8.dropLast()), bytes: 9)).text
    #expect(cut.contains(#""payload":"gr","payload_base64":null"#))
    #expect(DeadLetterReport.lines(kept(Array("a\u{1B}[2J".utf8))).last == #"a\u{1b}[2J"#)
    let list = DeadLetterReport(letters: [kept([])], counts: [(.feed, 1_200)]).lines(width: nil)
    #expect(list[1].contains(#"no\nJSON"#))
    #expect(list.last == "kept: 1,200 of feed")
    #expect(DeadLetterReport(letters: [], counts: []).lines(width: nil) == ["no dead letters"])
  }
}

/// Connects and sends as another program would, without our client; on a thread that may block.
private actor Stranger {
  private let executor = try! ThreadExecutor()
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private var waiting: [Int32] = []

  /// Says nothing until it hangs up.
  func connectAndWait(_ path: String) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    waiting.append(descriptor)
    try ControlAddress(logPath: path).withSocketAddress { (address, length) throws(SystemError) in
      guard connect(descriptor, address, length) == 0 else { throw SystemError.last("connect") }
    }
  }

  func hangUp() {
    for descriptor in waiting { close(descriptor) }
    waiting = []
  }

  /// Asks, and goes before the answer.
  func leave(_ path: String, asking request: ControlRequest) throws {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let connected = LineSocket(FileDescriptor(owning: descriptor))
    try ControlAddress(logPath: path).withSocketAddress { (address, length) throws(SystemError) in
      guard connect(descriptor, address, length) == 0 else { throw SystemError.last("connect") }
    }
    try connected.write(try ControlLine.encode(request), within: .seconds(20))
  }

  func talk(_ path: String, _ bytes: [UInt8], endsOutput: Bool) throws -> [UInt8] {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let connected = LineSocket(FileDescriptor(owning: descriptor))
    try ControlAddress(logPath: path).withSocketAddress { (address, length) throws(SystemError) in
      guard connect(descriptor, address, length) == 0 else { throw SystemError.last("connect") }
    }
    try connected.write(bytes, within: .seconds(20))
    if endsOutput { shutdown(descriptor, Int32(SHUT_WR)) }
    return try connected.readLine(atMost: 1 << 20, within: .seconds(60))
  }
}
