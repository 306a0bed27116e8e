import TestSupport
import Testing
import WAL

@testable import Ingest

/// Joins as ``Overlap`` does, by going through lists: every appended tick, and who has met it.
private struct NaiveOverlap {
  typealias ID = FeedSession.ConnectionID

  struct Appended {
    var text: String
    var metBy: Set<ID>
  }

  var appended: [Appended] = []
  /// How much was appended when a connection began; nobody else is known.
  var start: [ID: Int] = [:]
  var deliveredAt: [ID: Duration] = [:]
  var pair: (primary: ID, standby: ID)?
  var held: [(text: String, until: Duration)] = []
  var flowing: Set<String> = []
  var endedAt: Duration?
  var forgetsAt: Duration?
  var duplicates = 0

  static func stream(_ text: String) -> String { String(text.split(separator: " ")[0]) }

  mutating func append(_ text: String, from id: ID, to result: inout [String]) {
    if let met = appended.indices.first(where: {
      $0 >= start[id]! && appended[$0].text == text && !appended[$0].metBy.contains(id)
    }) {
      appended[met].metBy.insert(id)
      duplicates += 1
    } else {
      // Alone, a connection adds no new text to what is remembered.
      if forgetsAt == nil || appended.contains(where: { $0.text == text }) {
        appended.append(Appended(text: text, metBy: [id]))
      }
      result.append(text)
    }
  }

  mutating func flow(_ which: (String, Duration) -> Bool) -> [String] {
    var result: [String] = []
    let streams = Set(held.filter { which($0.text, $0.until) }.map { Self.stream($0.text) })
    // A stream after the other, in the order of their ends.
    for stream in held.map({ Self.stream($0.text) }).uniqued() where streams.contains(stream) {
      flowing.insert(stream)
      for tick in held where Self.stream(tick.text) == stream {
        append(tick.text, from: pair!.standby, to: &result)
      }
    }
    held.removeAll { streams.contains(Self.stream($0.text)) }
    return result
  }

  mutating func endPair() -> [String] {
    var result: [String] = []
    for tick in held { append(tick.text, from: pair!.standby, to: &result) }
    held = []
    pair = nil
    return result
  }

  mutating func begin(_ primary: ID, _ standby: ID) -> [String] {
    let rest = endPair()
    pair = (primary, standby)
    flowing = []
    forgetsAt = nil
    for id in [primary, standby] where start[id] == nil {
      start[id] = appended.count
      deliveredAt[id] = nil
    }
    return rest
  }

  mutating func pass(_ texts: [String], from id: ID, at now: Duration) -> [String] {
    guard start[id] != nil else { return texts }
    if !texts.isEmpty { deliveredAt[id] = now }
    var result: [String] = []
    for text in texts {
      let stream = Self.stream(text)
      guard id == pair?.standby, !flowing.contains(stream) else {
        append(text, from: id, to: &result)
        if id == pair?.primary, held.first(where: { Self.stream($0.text) == stream })?.text == text {
          result += flow { other, _ in Self.stream(other) == stream }
        }
        continue
      }
      let primary = pair!.primary
      let waiting = held.first { Self.stream($0.text) == stream }
      let isKnown = appended.indices.contains {
        appended[$0].text == text && (appended[$0].metBy.contains(primary) || $0 < start[primary]!)
      }
      if waiting == nil, isKnown {
        flowing.insert(stream)
        append(text, from: id, to: &result)
      } else {
        held.append((text, waiting?.until ?? now + .seconds(2)))
      }
    }
    return result
  }

  mutating func ended(_ id: ID, at now: Duration) -> [String] {
    guard start[id] != nil else { return [] }
    let rest = id == pair?.primary || id == pair?.standby ? endPair() : []
    if deliveredAt[id] != nil { endedAt = now }
    start[id] = nil
    if start.isEmpty { forget() }
    if start.count == 1 {
      if let endedAt { forgetsAt = max(now, endedAt + .seconds(10)) } else { forget() }
    }
    return rest
  }

  mutating func expire(at now: Duration) -> [String] {
    let result = flow { _, until in until <= now }
    if let forgetsAt, forgetsAt <= now {
      let isSilentSince = start.keys.contains { deliveredAt[$0] ?? .zero <= endedAt ?? .zero }
      if isSilentSince { self.forgetsAt = now + .seconds(10) } else { forget() }
    }
    return result
  }

  mutating func forget() {
    start = [:]
    appended = []
    endedAt = nil
    forgetsAt = nil
  }
}

extension [String] {
  fileprivate func uniqued() -> [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}

@Suite struct OverlapModelTests {
  @Test(arguments: 1...40 as ClosedRange<UInt64>) func `the overlap does what going through lists does`(
    _ seed: UInt64
  ) {
    var random = SplitMix64(seed: seed)
    var overlap = Overlap()
    var naive = NaiveOverlap()
    var live: [FeedSession.ConnectionID] = [1]
    var lastNumber = 1
    var now = Duration.zero
    for step in 0..<1_500 {
      now += .milliseconds(Int.random(in: 0...150, using: &random))
      var expected: [String] = []
      var result = Intake()
      switch Int.random(in: 0..<100, using: &random) {
      case ..<5 where live.count < 3:
        lastNumber += 1
        let primary = live.last ?? .init(number: lastNumber)
        if live.isEmpty {
          live.append(primary)
          lastNumber += 1
        }
        live.append(.init(number: lastNumber))
        result = overlap.begin(primary: primary, standby: live.last!)
        expected = naive.begin(primary, live.last!)
        overlap.standbyOpened(at: now)
      case ..<9 where !live.isEmpty:
        let id = live.remove(at: Int.random(in: 0..<live.count, using: &random))
        result = overlap.ended(id, at: now)
        expected = naive.ended(id, at: now)
      case ..<12:
        result = overlap.release()
        expected = naive.endPair()
      case ..<25:
        // A little late, as timers are.
        if Bool.random(using: &random) { now += .seconds(Int.random(in: 0...3, using: &random)) }
        if let deadline = overlap.deadline, deadline <= now { result = overlap.expire(at: now) }
        expected = naive.expire(at: now)
      default:
        let id = live.randomElement(using: &random) ?? 1
        let texts = (0..<Int.random(in: 0...5, using: &random)).map { _ in
          "s\(Int.random(in: 0..<4, using: &random)) \(Int.random(in: 0..<6, using: &random) + step / 10)"
        }
        var sent = Intake(messages: 1, receivedAt: Int64(step))
        for text in texts { sent.ticks.append(intake(text).ticks) }
        result = overlap.pass(sent, from: id, at: now)
        expected = naive.pass(texts, from: id, at: now)
      }
      guard result.texts == expected, overlap.duplicates == naive.duplicates else {
        Issue.record("seed \(seed), step \(step): \(result.texts) instead of \(expected)")
        return
      }
    }
    #expect(overlap.duplicates > 50)
  }

  /// Two servers send the same events, each with its own lag; connections are exchanged again and again in an
  /// orderly way. What is appended must be the events, each once, each stream in order.
  @Test(arguments: 1...40 as ClosedRange<UInt64>) func `orderly changes of the connection leave no trace`(
    _ seed: UInt64
  ) {
    var random = SplitMix64(seed: seed)
    var world = World(streams: 5)
    for _ in 0..<4_000 { world.step(&random) }
    world.finish()
    for (stream, count) in world.emitted.enumerated() {
      #expect(world.appended[stream] == Array(0..<count), "seed \(seed), stream \(stream)")
    }
    #expect(world.rotations > 5)
    #expect(world.overlap.duplicates > 100)
  }

  /// The same with connections that are cut off at any time: what any connection delivered is there, once.
  @Test(arguments: 1...40 as ClosedRange<UInt64>) func `lost connections lose nothing that was delivered`(
    _ seed: UInt64
  ) {
    var random = SplitMix64(seed: seed)
    var world = World(streams: 5)
    world.losesConnections = true
    for _ in 0..<4_000 { world.step(&random) }
    world.finish()
    for stream in world.emitted.indices {
      #expect(Set(world.appended[stream]) == world.delivered[stream], "seed \(seed), stream \(stream)")
      #expect(
        world.appended[stream].count == world.delivered[stream].count, "seed \(seed), stream \(stream)")
    }
    #expect(world.losses > 5)
  }
}

/// An exchange with lagging servers, and the driver's part of the work.
private struct World {
  struct Connection {
    var id: FeedSession.ConnectionID
    /// What its server will send, and until when at the latest.
    var queue: [(stream: Int, number: Int, until: Duration)] = []
    var isLeaving = false
  }

  var overlap = Overlap()
  var emitted: [Int]
  var appended: [[Int]]
  var delivered: [Set<Int>]
  var losesConnections = false
  var rotations = 0
  var losses = 0
  private var now = Duration.zero
  private var connections: [Connection] = [Connection(id: 1)]
  private var lastNumber = 1

  init(streams: Int) {
    emitted = Array(repeating: 0, count: streams)
    appended = Array(repeating: [], count: streams)
    delivered = Array(repeating: [], count: streams)
  }

  mutating func step(_ random: inout SplitMix64) {
    now += .milliseconds(Int.random(in: 0...100, using: &random))
    if let deadline = overlap.deadline, deadline <= now { append(overlap.expire(at: now)) }
    for _ in 0..<Int.random(in: 0...3, using: &random) { emit(&random) }
    for place in connections.indices { deliver(place, &random) }
    change(&random)
  }

  private mutating func emit(_ random: inout SplitMix64) {
    let stream = emitted.indices.randomElement(using: &random)!
    // A lag below the two seconds that a stream waits.
    for place in connections.indices where !connections[place].isLeaving {
      connections[place].queue.append((stream, emitted[stream], now + .milliseconds(1_500)))
    }
    if !connections.isEmpty { emitted[stream] += 1 }
  }

  private mutating func deliver(_ place: Int, _ random: inout SplitMix64) {
    let queue = connections[place].queue
    let late = queue.prefix { $0.until <= now }.count
    let count = max(
      late, Int.random(in: 0..<4, using: &random) == 0 ? Int.random(in: 0...queue.count, using: &random) : 0)
    if count > 0 { deliver(place, count: count) }
  }

  private mutating func deliver(_ place: Int, count: Int) {
    var sent = Intake(messages: count, receivedAt: 1)
    for event in connections[place].queue.prefix(count) {
      delivered[event.stream].insert(event.number)
      sent.ticks.append(
        receivedAt: 1, eventTime: nil, stream: "\(event.stream)", payload: "\(event.number)")
    }
    connections[place].queue.removeFirst(count)
    append(overlap.pass(sent, from: connections[place].id, at: now))
  }

  private mutating func change(_ random: inout SplitMix64) {
    let dice = Int.random(in: 0..<200, using: &random)
    if losesConnections, dice < 4, let place = connections.indices.randomElement(using: &random) {
      append(overlap.ended(connections.remove(at: place).id, at: now))
      losses += 1
    }
    switch connections.count {
    case 0:
      connections = [newConnection()]
    case 1 where dice > 150:
      let next = newConnection()
      append(overlap.begin(primary: connections[0].id, standby: next.id))
      overlap.standbyOpened(at: now)
      connections.append(next)
    case 2 where connections[0].isLeaving:
      // An orderly end: the server has sent everything.
      guard connections[0].queue.isEmpty else { return }
      append(overlap.ended(connections.removeFirst().id, at: now))
      rotations += 1
    case 2 where dice > 120 && (losesConnections || connections[0].queue.isEmpty):
      append(overlap.release())
      connections[0].isLeaving = true
    default: break
    }
  }

  private mutating func newConnection() -> Connection {
    lastNumber += 1
    return Connection(id: .init(number: lastNumber))
  }

  mutating func finish() {
    for place in connections.indices { deliver(place, count: connections[place].queue.count) }
    append(overlap.release())
  }

  private mutating func append(_ intake: Intake) {
    for text in intake.texts {
      let parts = text.split(separator: " ").map { Int($0)! }
      appended[parts[0]].append(parts[1])
    }
  }
}
