import Testing
import Ticks
import WAL

@testable import Ingest

/// Connections that deliver events with ids, and what a slot makes of them.
struct SequenceRig {
  var sequences = SequenceGaps()
  var connections: [Int: SlotConnection] = [:]
  var named = NamedGaps()
  /// Milliseconds.
  var clock = 0
  /// What was written, as `add stream after-before` or `extend …`.
  var written: [String] = []
  var findings: [SequenceGaps.Finding] = []
  var last: GapChange?

  var now: Duration { .milliseconds(clock) }
  /// Microseconds.
  var utc: Int64 { Int64(clock) * 1_000 }

  mutating func deliver(
    _ steps: ClosedRange<Int64>..., by connection: Int = 1, stream: String = "a@depth",
    eventTime: Int64? = nil
  ) {
    for step in steps {
      var intake = Intake(messages: 1, receivedAt: utc)
      intake.ticks.append(
        receivedAt: utc, eventTime: eventTime ?? Int64(clock), stream: stream, payload: "{}")
      intake.steps = [Intake.Step(tick: 0, ids: IDStep(after: step.lowerBound - 1, last: step.upperBound)!)]
      note(intake, by: connection)
      if sequences.isChanged { settle() }
      clock += 1
    }
  }

  mutating func deliverWithoutIDs(by connection: Int = 1, stream: String = "a@depth") {
    var intake = Intake(messages: 1, receivedAt: utc)
    intake.ticks.append(receivedAt: utc, eventTime: nil, stream: stream, payload: "{}")
    note(intake, by: connection)
    if sequences.isChanged { settle() }
    clock += 1
  }

  private mutating func note(_ intake: Intake, by connection: Int) {
    if connections[connection] == nil { open(connection) }
    let now = now
    _ = connections[connection]?.noteTimes(of: intake, at: now)
    connections[connection]?.delivered(intake, lag: .zero, into: &sequences, at: now)
  }

  mutating func open(_ connection: Int) {
    var opened = SlotConnection(.inUse, carried: [], begunAt: 0, lateness: .seconds(1))
    opened.isReached = true
    opened.openedAt = now
    connections[connection] = opened
  }

  mutating func end(_ connection: Int) {
    connections[connection] = nil
    settle()
  }

  mutating func wait(milliseconds: Int) {
    let end = clock + milliseconds
    while let deadline = sequences.deadline, deadline <= .milliseconds(end) {
      clock = max(clock, Int(deadline / .milliseconds(1)))
      settle()
    }
    clock = end
  }

  mutating func settle() {
    let (connections, named, now) = (connections, named, now)
    let changes = sequences.settle(at: now) { stream, id, time in
      connections.values.map { $0.prospect(of: stream, upTo: id, before: time, at: now) }.max() ?? .never
    } isCovered: { skip in
      named.cover(skip.stream, from: skip.startedAt, to: skip.endedAt)
    }
    findings += sequences.takeFindings()
    for change in changes {
      last = change
      switch change {
      case .add(_, _, _, let streams, let detail, _): written.append("add \(streams[0]) \(Self.ids(detail))")
      case .extend(_, let detail, _): written.append("extend \(Self.ids(detail))")
      default: written.append("\(change)")
      }
    }
  }

  /// `4-6`, or `4-9 of 2` if several skips are one.
  private static func ids(_ detail: String?) -> String {
    let numbers = (detail ?? "").split { !$0.isNumber }.map(String.init)
    let skips = numbers.last ?? ""
    return "\(numbers[0])-\(numbers[1])" + (skips == "1" ? "" : " of \(skips)")
  }
}

@Suite struct SequenceGapsTests {
  @Test func `ids that follow one another make no gap`() {
    var rig = SequenceRig()
    rig.deliver(5...5, 6...9, 10...10)
    rig.deliver(1...4, 5...5, stream: "b@trade")
    // Overlaps.
    rig.deliver(10...10, 8...14, 15...15)
    #expect(rig.written == [])
    #expect(rig.findings == [.followed(stream: "a@depth"), .followed(stream: "b@trade")])
  }

  @Test func `one gap has all ids that are missing, though the last of them were found missing first`() {
    var rig = SequenceRig()
    rig.deliver(1...1, by: 1)
    rig.deliver(9...9, 11...11, by: 2)
    // It lags, and has brought all that it was sent.
    rig.deliver(2...3, by: 1)
    rig.end(1)
    #expect(rig.written == ["add a@depth 3-9", "extend 3-11 of 2"])
  }

  @Test func `ids that one connection alone skips are a gap at once, between the events beside them`() {
    var rig = SequenceRig()
    rig.clock = 100
    rig.deliver(5...5)
    rig.clock = 300
    rig.deliver(9...12)
    #expect(rig.written == ["add a@depth 5-9"])
    guard case .add(let from, let to, let cause, let streams, let detail, _) = rig.last else {
      Issue.record("no gap")
      return
    }
    #expect(from == 100_000 && to == 300_000 && cause == .sequence && streams == ["a@depth"])
    #expect(detail == #"{"after":5,"before":9,"after_event_time":100,"before_event_time":300,"skips":1}"#)
    #expect(rig.sequences.watermark == nil && rig.sequences.deadline == nil)
  }

  @Test func `a gap is a microsecond long where one read brought both events`() {
    let neighbour = SequenceSkip.Neighbour(id: 5, receivedAt: 70, eventTime: nil)
    var later = neighbour
    later.id = 8
    let skip = SequenceSkip(stream: "a@depth", after: neighbour, before: later)
    #expect(skip.startedAt == 70 && skip.endedAt == 71)
    #expect(
      skip.detail(count: 1)
        == #"{"after":5,"before":8,"after_event_time":null,"before_event_time":null,"skips":1}"#)
  }

  @Test func `what another connection delivers is not missing`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.deliver(1...3, by: 2)
    rig.deliver(6...6, by: 1)
    #expect(rig.written == [] && rig.sequences.watermark == 0)
    rig.deliver(4...4, 5...5, by: 2)
    rig.wait(milliseconds: 20_000)
    #expect(rig.written == [] && rig.sequences.watermark == nil)
  }

  @Test func `of a skip only what no other connection delivers is missing`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.deliver(1...3, by: 2)
    rig.deliver(9...9, by: 1)
    rig.deliver(5...6, by: 2)
    rig.wait(milliseconds: 300)
    #expect(rig.written == ["add a@depth 3-5"])
    rig.deliver(7...8, by: 2)
    rig.wait(milliseconds: 20_000)
    #expect(rig.written == ["add a@depth 3-5"])
  }

  @Test func `what both connections skip is one gap`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.deliver(1...3, by: 2)
    rig.deliver(6...6, by: 1)
    #expect(rig.written == [])
    rig.deliver(6...6, by: 2)
    rig.wait(milliseconds: 300)
    #expect(rig.written == ["add a@depth 3-6"])
  }

  @Test func `from one connection to the next ids are missing when the older has ended`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.deliver(7...7, by: 2)
    #expect(rig.written == [])
    rig.deliver(4...4, by: 1)
    rig.end(1)
    #expect(rig.written == ["add a@depth 4-7"])
  }

  @Test func `what neither connection has delivered after ten seconds is missing`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.deliver(7...7, by: 2)
    // It has not ended, and does not lag.
    rig.deliver(1...1, by: 1, stream: "b@trade")
    rig.wait(milliseconds: 9_900)
    #expect(rig.written == [])
    rig.wait(milliseconds: 400)
    #expect(rig.written == ["add a@depth 3-7"])
  }

  @Test func `a connection that is behind by its events may take longer, until it is as far`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.deliver(7...7, by: 2, eventTime: 5_000)
    for second in 1...20 {
      rig.deliver(1...1, by: 1, stream: "s\(second)@trade", eventTime: Int64(second) * 100)
      rig.wait(milliseconds: 1_000)
    }
    rig.deliver(4...5, by: 1, eventTime: 4_000)
    #expect(rig.written == [])
    rig.deliver(1...1, by: 1, stream: "b@trade", eventTime: 5_000)
    rig.wait(milliseconds: 300)
    #expect(rig.written == ["add a@depth 5-7"])
  }

  @Test func `a connection that never gets as far is waited for five minutes`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.deliver(7...7, by: 2, eventTime: 5_000)
    for second in 1...299 {
      rig.deliver(1...1, by: 1, stream: "s\(second)@trade", eventTime: Int64(second))
      rig.clock += 999
      rig.wait(milliseconds: 0)
    }
    #expect(rig.written == [])
    rig.wait(milliseconds: 2_000)
    #expect(rig.written == ["add a@depth 3-7"])
  }

  @Test func `a connection that is behind and delivers nothing any more is not waited for that long`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.deliver(7...7, by: 2, eventTime: 5_000)
    rig.wait(milliseconds: 59_000)
    #expect(rig.written == [])
    rig.wait(milliseconds: 2_000)
    #expect(rig.written == ["add a@depth 3-7"])
  }

  @Test func `a connection that has ended is not waited for`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.open(2)
    rig.deliver(6...6, by: 1)
    #expect(rig.written == [])
    rig.end(2)
    #expect(rig.written == ["add a@depth 3-6"])
  }

  @Test func `after a loss the ids go on where the last connection stopped`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.end(1)
    rig.deliver(4...4, by: 2)
    rig.end(2)
    rig.deliver(6...6, by: 3)
    #expect(rig.written == ["add a@depth 4-6"])
  }

  @Test(arguments: [
    (100, 200 as Int?, false), (100, nil, true), (30, 60, true), (50, 51, false), (0, 50, false),
    (0, nil, true),
    (250, nil, false), (199, nil, true),
  ])
  func `a skip in a gap that names the stream needs none of its own`(from: Int, to: Int?, isCovered: Bool) {
    let isCovered = isCovered || (to ?? 0) > 50 && from < 200
    for streams in [["a@depth", "b@trade"], ["b@trade"]] {
      var rig = SequenceRig()
      rig.clock = 50
      rig.deliver(1...3)
      let gaps = OpenGaps()
      rig.named.note([
        .open(startedAt: Int64(from) * 1_000, cause: .closed, streams: streams, detail: nil, gaps)
      ])
      if let to { rig.named.note([.close(endedAt: Int64(to) * 1_000, gaps)]) }
      rig.clock = 200
      rig.deliver(6...6)
      #expect(rig.written.isEmpty == (isCovered && streams.count == 2), "\(from) \(String(describing: to))")
    }
  }

  @Test func `ids that go back are said once and start anew`() {
    var rig = SequenceRig()
    rig.deliver(1...3, 4...900, 1...1, 2...2, 3...3, 6...6)
    #expect(rig.written == ["add a@depth 3-6"])
    #expect(rig.findings.filter { $0 == .wentBack(stream: "a@depth", from: 900, to: 1) }.count == 1)
    #expect(rig.findings.count == 3)
  }

  @Test func `ids that go back on two connections are followed on both`() {
    var rig = SequenceRig()
    rig.deliver(1...900, by: 1)
    rig.deliver(1...900, by: 2)
    rig.deliver(5...5, by: 1)
    rig.deliver(6...6, by: 1)
    rig.deliver(5...5, by: 2)
    rig.deliver(7...7, by: 1)
    rig.deliver(6...6, 7...7, by: 2)
    rig.wait(milliseconds: 20_000)
    #expect(rig.written == [])
    rig.deliver(10...10, by: 1)
    rig.deliver(10...10, by: 2)
    rig.wait(milliseconds: 300)
    #expect(rig.written == ["add a@depth 7-10"])
    #expect(rig.findings.filter { if case .wentBack = $0 { true } else { false } }.count == 1)
  }

  @Test func `a new connection with lower ids at a later time starts anew, one that repeats does not`() {
    var rig = SequenceRig()
    rig.deliver(1...900, by: 1, eventTime: 10_000)
    rig.end(1)
    rig.deliver(899...899, by: 2, eventTime: 9_990)
    #expect(rig.findings.count == 1)
    rig.end(2)
    rig.deliver(5...5, by: 3, eventTime: 11_000)
    rig.deliver(8...8, by: 3, eventTime: 11_010)
    #expect(rig.findings.contains(.wentBack(stream: "a@depth", from: 900, to: 5)))
    #expect(rig.written == ["add a@depth 5-8"])
  }

  @Test func `what was still awaited when ids go back is missing`() {
    var rig = SequenceRig()
    rig.deliver(1...3, by: 1)
    rig.open(2)
    rig.deliver(6...6, by: 1)
    #expect(rig.written == [])
    rig.deliver(1...1, by: 1)
    #expect(rig.written == ["add a@depth 3-6"])
  }

  @Test func `skips of a stream within a minute are one gap`() {
    var rig = SequenceRig()
    rig.deliver(1...1, 3...3, 5...5)
    rig.deliver(1...1, 4...4, stream: "b@trade")
    #expect(rig.written == ["add a@depth 1-3", "extend 1-5 of 2", "add b@trade 1-4"])
    rig.clock += 59_000
    rig.deliver(7...7)
    rig.clock += 1_000
    rig.deliver(9...9)
    #expect(rig.written.suffix(2) == ["extend 1-7 of 3", "add a@depth 7-9"])
    guard case .add(let from, let to, _, _, _, _) = rig.last else {
      Issue.record("no gap")
      return
    }
    #expect(from == 59_005_000 && to == 60_006_000)
  }

  @Test func `a stream that skips all the time for ten minutes is said once and not followed any more`() {
    var rig = SequenceRig()
    var id: Int64 = 1
    /// A second with ten events, the first of which comes after a skip.
    func second() {
      id += 1
      for _ in 0..<10 {
        rig.deliver(id...id)
        id += 1
      }
      rig.clock += 990
    }
    for _ in 0..<599 { second() }
    #expect(!rig.findings.contains(.notProvable(stream: "a@depth", isSkipping: true)))
    for _ in 0..<200 { second() }
    #expect(rig.findings.filter { $0 == .notProvable(stream: "a@depth", isSkipping: true) }.count == 1)
    let adds = rig.written.filter { $0.hasPrefix("add") }.count
    #expect((9...12).contains(adds))
    let before = rig.written.count
    for _ in 0..<200 { second() }
    #expect(rig.written.count == before)
  }

  @Test func `a quiet stream with a skip, or one that skips seldom, stays provable`() {
    var rig = SequenceRig()
    var id: Int64 = 1
    for round in 0..<3_000 {
      if round % 101 == 100 { id += 1 }
      rig.deliver(id...id)
      id += 1
      rig.clock += 300
    }
    for round in 1..<30 {
      rig.deliver(Int64(round * 2)...Int64(round * 2), stream: "b@trade")
      rig.clock += 180_000
    }
    #expect(!rig.findings.contains { if case .notProvable = $0 { true } else { false } })
  }

  @Test func `a stream with an event without ids is not provable, and followed all the same`() {
    var rig = SequenceRig()
    rig.deliverWithoutIDs(stream: "b@depth5")
    rig.deliver(1...1)
    rig.deliverWithoutIDs()
    rig.deliverWithoutIDs()
    rig.deliver(3...3)
    #expect(rig.written == ["add a@depth 1-3"])
    #expect(
      rig.findings.filter { if case .notProvable = $0 { true } else { false } } == [
        .notProvable(stream: "a@depth", isSkipping: false)
      ])
  }

  @Test func `a stream that was not wanted for a while begins anew`() {
    var rig = SequenceRig()
    rig.deliver(1...1)
    rig.deliver(1...1, stream: "b@trade")
    rig.sequences.begin(["a@depth", "never@seen"])
    rig.deliver(900...900, by: 2)
    rig.deliver(900...900, by: 2, stream: "b@trade")
    rig.end(1)
    #expect(rig.written == ["add b@trade 1-900"])
  }

  @Test func `however many ids are awaited, no more than a thousand are kept`() {
    var rig = SequenceRig()
    rig.open(2)
    for number in 0..<1_500 {
      let stream = "s\(number)@trade"
      rig.deliver(1...1, 3...3, stream: stream)
    }
    #expect(rig.written.count == 500 && rig.written.first == "add s0@trade 1-3")
  }
}
