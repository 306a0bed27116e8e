import TestSupport
import Testing

@testable import Ingest
@testable import WAL

@Suite struct ConnectionNewsTests {
  private let logs = RecordedLogs()
  private var messages: FeedMessages

  init() { messages = FeedMessages(logger: logs.logger, host: "h") }

  private let reset = FeedError(.closed(code: nil), "reset")
  private let refused = FeedError(.connectFailed, "refused")

  private mutating func lost(_ reason: FeedError, slot: Int = 1, at second: Double) {
    messages.lost(reason, slot: SlotID(number: slot), hasOther: false, at: .seconds(second))
  }

  private mutating func connected(slot: Int = 1, at second: Double) {
    messages.connected(slot: SlotID(number: slot), streams: 1, at: .seconds(second))
  }

  /// Each line as its first word, its slot and what else tells it from others.
  private func said() -> [String] {
    defer { logs.removeAll() }
    return logs.entries.map { entry in
      let more = ["reason", "losses", "held_back"].compactMap { key in
        entry.metadata[key].map { "\($0)" }.flatMap { $0 == "0" ? nil : $0 }
      }
      let kind = entry.message.hasPrefix("connected") ? "connected" : "lost"
      return ([kind, "\(entry.metadata["slot"] ?? "")"] + more).joined(separator: " ")
    }
  }

  @Test mutating func `a loss and the connection after it are both said`() {
    connected(at: 0)
    lost(reset, at: 10)
    connected(at: 11)
    #expect(said() == ["connected 1", "lost 1 reset", "connected 1"])
  }

  @Test mutating func `a connection after a loss says how long there was none, and its gap`() {
    connected(at: 0)
    lost(reset, at: 10)
    messages.connected(slot: SlotID(number: 1), streams: 1, gaps: [Gap.ID(rawValue: 3)], at: .seconds(54))
    let first = logs.entries[0]
    let last = logs.entries[logs.entries.count - 1]
    #expect(first.message == "connected to the exchange")
    #expect(last.message == "connected to the exchange again; what may be missing meanwhile is a gap")
    #expect(last.metadata["lost_for"] == "44 s")
    #expect(last.metadata["gap_ids"] == ["3"])
  }

  @Test func `what a killed run may have missed is in the gap of the crash, or in one that was open already`()
  {
    func gap(_ id: Int64, _ cause: Gap.Cause) -> Gap {
      Gap(id: Gap.ID(rawValue: id), startedAt: id, endedAt: nil, cause: cause, streams: ["a@trade"])
    }
    #expect(Feed.gapsOfKill([gap(1, .unsubscribed), gap(2, .crash)]).map(\.id.rawValue) == [2])
    #expect(Feed.gapsOfKill([gap(1, .diskFull)]).map(\.id.rawValue) == [1])
  }

  @Test mutating func `a feed that flaps is said to, and never that it is connected alone`() {
    connected(at: 0)
    for second in stride(from: 5.0, through: 100, by: 5) {
      lost(reset, at: second)
      connected(at: second + 1)
      messages.review(at: .seconds(second + 2))
    }
    #expect(
      said() == [
        "connected 1", "lost 1 reset", "connected 1", "connected 1 2", "lost 1 reset 11", "connected 1 13",
      ])
    // It does last now: what was held back is summed up.
    messages.review(at: .seconds(125))
    #expect(said() == [])
    messages.review(at: .seconds(126))
    #expect(said() == ["connected 1 19"])
    messages.review(at: .seconds(600))
    #expect(said() == [])
  }

  @Test mutating func `the reason of another loss, and of another slot, is not held back`() {
    for slot in 1...2 { connected(slot: slot, at: 0) }
    _ = said()
    lost(reset, at: 10)
    lost(refused, at: 11)
    lost(refused, at: 12)
    lost(reset, slot: 2, at: 13)
    connected(at: 14)
    #expect(said() == ["lost 1 reset", "lost 1 refused", "lost 2 reset", "connected 1"])
  }

  @Test mutating func `what a server says differently each time is one reason`() {
    for number in 0..<10 { lost(FeedError(.refused(status: 503), "503: request \(number)"), at: 1) }
    #expect(said() == ["lost 1 503: request 0"])
  }

  @Test mutating func `a dead connection is a loss like any other`() {
    connected(at: 0)
    for second in [10.0, 20] {
      messages.say(
        .noAnswer(.init(number: 1)), slot: SlotID(number: 1), hasOther: false, at: .seconds(second))
      connected(at: second + 1)
    }
    #expect(said() == ["connected 1", "lost 1", "connected 1", "connected 1 2"])
  }

  @Test mutating func `times are written as people read them`() {
    let slot = SlotID(number: 1)
    messages.say(
      .silent(.nanoseconds(60_000_109_923)), slot: slot, hasOther: false, at: .seconds(1))
    messages.say(.nothingFound(nextAfter: .seconds(90)), slot: slot, hasOther: false, at: .seconds(1))
    messages.say(
      .successorLost(.init(number: 2), nextAfter: .milliseconds(250)), slot: slot, hasOther: true,
      at: .seconds(1))
    messages.held(
      FeedError(.refused(status: 429), "429"), for: .seconds(120), until: 784_111_777_000_000, at: .seconds(1)
    )
    let times = logs.entries.map { "\($0.metadata["time"] ?? $0.metadata["wait"] ?? "")" }
    #expect(times == ["60 s", "1 min 30 s", "250 ms", "2 min"])
    #expect(logs.entries.last?.metadata["until"] == "1994-11-06T08:49:37.000Z")
  }

  @Test mutating func `streams that have stopped are named with the time since when`() {
    messages.found(
      [.stopped(stream: "a", since: .seconds(700)), .stopped(stream: "b", since: .seconds(400))],
      at: .seconds(1_000), wall: 784_111_777_000_000)
    let entry = logs.entries.first
    #expect(logs.entries.count == 1 && entry?.level == .warning)
    #expect(entry?.metadata["names"] == "a,b" && entry?.metadata["since"] == "1994-11-06T08:39:37.000Z")
  }
}
