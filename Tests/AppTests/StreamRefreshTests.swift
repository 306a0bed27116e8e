import AWS
import Base
import Logging
import Synchronization
import TestSupport
import Testing
import WAL

@testable import tickwal

@Suite struct StreamSecretTests {
  @Test func `the streams are read and nothing else`() throws {
    let secret = "{\"api_key\":\"hunter2\",\"streams\":[\"a@trade\",\"b@trade\",\"a@trade\"]}"
    #expect(try StreamSecret.list(in: secret).names == ["a@trade", "b@trade"])
  }

  @Test(arguments: [
    "", "hunter2", "[\"hunter2\"]", "{\"stream\":[\"hunter2\"]}", "{\"streams\":\"hunter2\"}",
    "{\"streams\":[1],\"key\":\"hunter2\"}", "{\"streams\":[],\"key\":\"hunter2\"}",
    "{\"streams\":[\"\"],\"key\":\"hunter2\"}", "{\"streams\":null,\"key\":\"hunter2\"}",
    "{\"streams\":[\"a@trade\"],\"key\":\"hunter2\"",
  ])
  func `an unusable secret is refused without showing it`(text: String) throws {
    let refusal = #expect(throws: BadText.self) { try StreamSecret.list(in: text) }
    let reason = try #require(refusal?.reason)
    #expect(!reason.contains("hunter2"))
  }
}

@Suite struct StreamListStateTests {
  @Test func `what was added and removed is said in the list's order`() {
    var state = StreamListState(names: ["a", "b", "c"])
    let changes = [["a", "b", "c"], ["c", "b", "a"], ["d", "c", "e", "a"]].map { state.read($0).change }
    #expect(changes[0] == nil && changes[1] == nil)
    #expect(changes[2]?.added == ["d", "e"])
    #expect(changes[2]?.removed == ["b"])
    #expect(state.names == ["d", "c", "e", "a"])
  }

  @Test func `a list that cannot be read is said once, then each half hour and when the reason changes`() {
    var state = StreamListState(names: ["a"])
    let times: [(reason: String, seconds: Int, isSaid: Bool)] = [
      ("x", 0, true), ("x", 300, false), ("x", 1_799, false), ("x", 1_800, true), ("x", 2_100, false),
      ("y", 2_400, true),
    ]
    for (reason, seconds, isSaid) in times {
      let said = state.failed(reason, at: .seconds(seconds))
      #expect(said == isSaid, "\(reason) after \(seconds) s")
    }
    #expect(state.names == ["a"])
    let isOver = (1...2).map { _ in state.read(["a"]).couldNotBefore }
    #expect(isOver == [true, false])
    let isSaid = state.failed("y", at: .seconds(2_401))
    #expect(isSaid)
  }
}

@Suite struct StreamRefreshTests {
  /// A refresh whose secret, signals and time are the test's.
  private final class Rig: StreamTarget {
    enum Call: Equatable {
      case update([String])
      case rotate
    }

    let logs = RecordedLogs()
    let hangups = Watch(0)
    private let secret = Mutex<Result<String, AWSError>>(.success("{\"streams\":[\"a@t\"]}"))
    private let made = Mutex<[Call]>([])
    /// Intervals that are over, and reads that were made.
    private let intervals = Watch(0)
    private let reads = Watch(0)
    private let taken = Watch(0)

    private let noted = Mutex<[String]>([])

    /// Beginnings and ends of what a SIGHUP asks for, each with the rotations before it.
    var reloads: [String] { noted.withLock { $0 } }
    private func note(_ what: String) {
      let rotations = calls.filter { $0 == .rotate }.count
      noted.withLock { $0.append("\(what) after \(rotations)") }
    }

    var calls: [Call] { made.withLock { $0 } }
    func update(streams: [String]) { made.withLock { $0.append(.update(streams)) } }
    func rotate() { made.withLock { $0.append(.rotate) } }

    func set(_ streams: [String]) {
      set("{\"streams\":[\(streams.map { "\"\($0)\"" }.joined(separator: ","))]}")
    }
    func set(_ text: String) { secret.withLock { $0 = .success(text) } }
    func fail(_ error: AWSError) { secret.withLock { $0 = .failure(error) } }

    private func read() throws -> StreamRefresh.List {
      defer { reads.update { $0 += 1 } }
      let list = try StreamSecret.list(in: try secret.withLock { $0 }.get())
      return StreamRefresh.List(names: list.names, warnings: list.warnings)
    }

    func refresh(readsSecret: Bool = true) -> StreamRefresh {
      StreamRefresh(
        read: readsSecret ? { @Sendable in try self.read() } : nil, interval: .seconds(300), hangups: hangups,
        target: self,
        logger: logs.logger, now: { .seconds(300 * self.intervals.value) },
        sleep: { interval in
          #expect(interval == .seconds(300))
          let before = self.taken.value
          _ = try await self.intervals.wait { $0 > before }
          self.taken.update { $0 += 1 }
        },
        reloading: { self.note("reloading") }, reloaded: { self.note("reloaded") })
    }

    /// Lets an interval pass, and waits for the read after it.
    func interval() async throws {
      let before = reads.value
      intervals.update { $0 += 1 }
      _ = try await reads.wait { $0 > before }
    }

    func hangUp() async throws {
      let before = calls.filter { $0 == .rotate }.count
      hangups.update { $0 += 1 }
      #expect(try await eventually { calls.filter { $0 == .rotate }.count > before })
    }

    var said: [String] { logs.entries.map(\.message) }

    func beside(
      readsSecret: Bool = true, isDue: Bool = false, _ body: @escaping @Sendable (Rig) async throws -> Void
    ) async throws {
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          try await self.refresh(readsSecret: readsSecret).run(names: ["a@t"], seen: 0, isDue: isDue)
        }
        group.addTask { try await body(self) }
        // The refresh ends by being cancelled alone.
        try await group.next()
        group.cancelAll()
        await #expect(throws: CancellationError.self) { try await group.waitForAll() }
      }
    }
  }

  @Test func `a changed list goes to the feed and is said`() async throws {
    try await Rig().beside { rig in
      try await rig.interval()
      #expect(rig.calls.isEmpty && rig.said.isEmpty)
      rig.set(["b@t", "a@t", "c@t"])
      try await rig.interval()
      #expect(try await eventually { rig.calls == [.update(["b@t", "a@t", "c@t"])] })
      rig.set(["c@t"])
      try await rig.interval()
      #expect(try await eventually { rig.calls.last == .update(["c@t"]) })
      let entries = rig.logs.entries
      #expect(entries.map(\.message) == Array(repeating: "the list of streams has changed", count: 2))
      #expect(
        entries[0].metadata == ["streams": "3", "added": "2", "removed": "0", "added_streams": "b@t, c@t"])
      #expect(
        entries[1].metadata == ["streams": "1", "added": "0", "removed": "2", "removed_streams": "b@t, a@t"])
    }
  }

  @Test func `a list from the log is compared with the secret's at once`() async throws {
    let rig = Rig()
    rig.set(["a@t", "b@t"])
    // No interval has passed, and nobody has asked.
    try await rig.beside(isDue: true) { rig in
      let isTaken = try await eventually { rig.calls == [.update(["a@t", "b@t"])] }
      #expect(isTaken)
      #expect(rig.said == ["the list of streams has changed"])
    }
  }

  @Test func `of a long change twenty names are said`() async throws {
    try await Rig().beside { rig in
      rig.set((1...100).map { "s\($0)@t" })
      try await rig.interval()
      #expect(try await eventually { !rig.said.isEmpty })
      let names = "\(rig.logs.entries[0].metadata["added_streams"] ?? "")"
      #expect(names.hasSuffix("s19@t, s20@t and 80 more"))
    }
  }

  @Test func `a secret that cannot be read or used keeps the list and ends nothing`() async throws {
    try await Rig().beside { rig in
      rig.fail(AWSError("AccessDeniedException", .permanent, operation: "GetSecretValue", message: "no"))
      for _ in 1...4 { try await rig.interval() }
      rig.set("{\"streams\":[],\"key\":\"hunter2\"}")
      for _ in 1...4 { try await rig.interval() }
      rig.set(["a@t", "b@t"])
      try await rig.interval()
      #expect(try await eventually { rig.calls == [.update(["a@t", "b@t"])] })
      #expect(rig.logs.messages(.error).count == 2)
      #expect(!rig.logs.entries.contains { "\($0)".contains("hunter2") })
    }
  }

  @Test func `a hangup reads the list at once and then replaces the connections`() async throws {
    try await Rig().beside { rig in
      rig.set(["b@t"])
      try await rig.hangUp()
      #expect(rig.calls == [.update(["b@t"]), .rotate])
      try await rig.hangUp()
      #expect(rig.calls == [.update(["b@t"]), .rotate, .rotate])
      #expect(rig.said.contains("the list of streams was read again and has not changed"))
      rig.fail(AWSError("ServiceUnavailable", .transient, operation: "GetSecretValue", message: "no"))
      for _ in 1...2 { try await rig.hangUp() }
      #expect(rig.calls == [.update(["b@t"]), .rotate, .rotate, .rotate, .rotate])
      // Said to each who asks.
      #expect(rig.logs.messages(.warning).count == 2)
    }
  }

  @Test func `a hangup is told when it begins, and when its list is read and the connections are replaced`()
    async throws
  {
    try await Rig().beside { rig in
      try await rig.interval()
      try await rig.hangUp()
      rig.fail(AWSError("ServiceUnavailable", .transient, operation: "GetSecretValue", message: "no"))
      try await rig.hangUp()
      let expected = ["reloading after 0", "reloaded after 1", "reloading after 1", "reloaded after 2"]
      #expect(try await eventually { rig.reloads == expected })
    }
  }

  @Test func `with streams of the operator a hangup replaces the connections alone`() async throws {
    try await Rig().beside(readsSecret: false) { rig in
      rig.set(["b@t"])
      try await rig.hangUp()
      #expect(rig.calls == [.rotate])
    }
  }

  @Test func `a hangup between the first read and the refresh counts`() async throws {
    let rig = Rig()
    rig.hangups.update { $0 += 1 }
    try await rig.beside { (rig) async throws in
      #expect(try await eventually { rig.calls == [.rotate] })
    }
  }
}
