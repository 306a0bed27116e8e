import Glibc
import Logging
import NIOCore
import NIOWebSocket
import Testing

@testable import Simulate

/// A simulated exchange at 2,000 messages a second, changed as a test wants it.
func startMarket(_ change: (inout ExchangeConfiguration) -> Void = { _ in }) async throws -> SimulatedExchange
{
  var configuration = ExchangeConfiguration()
  configuration.messagesPerSecond = 2_000
  // The probe answers none, however long a test takes.
  configuration.pingInterval = .seconds(3_600)
  change(&configuration)
  return try await SimulatedExchange.start(
    configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
}

@Suite(.timeLimit(.minutes(3))) struct ExchangeFaultTests {
  private static let target = "/ws/btcusdt@trade"
  private static let soon = Duration.milliseconds(30)

  /// Waits until the exchange has made so many messages more.
  private static func letPass(_ count: Int, at exchange: SimulatedExchange) async throws {
    let now = try await exchange.statistics.messages
    try await require("\(count) messages") { try await exchange.statistics.messages >= now + count }
  }

  @Test func `a stalled connection gets no data any more, but answers`() async throws {
    let exchange = try await startMarket { $0.faults.afterOpening[.stall] = Self.soon }
    var probe = try await WebSocketProbe(port: exchange.port, target: Self.target)
    #expect(try await probe.nextText() != nil)
    try await require("the stall") { try await exchange.statistics.faults[.stall] == 1 }
    for text in ["1", "2"] {
      try await probe.send(.ping, text)
      var passed: [WebSocketOpcode] = []
      while let frame = try await probe.next(), frame.opcode != .pong { passed.append(frame.opcode) }
      // Only what had been sent before the stall may still come before the first answer.
      if text == "2" { #expect(passed == []) }
      try await Self.letPass(200, at: exchange)
    }
    #expect(try await exchange.statistics.connectionsOpen == 1)
    try await exchange.stop()
  }

  @Test func `a half-open connection is silent altogether and stays open`() async throws {
    let exchange = try await startMarket {
      $0.faults.afterOpening[.halfOpen] = Self.soon
      $0.pingInterval = .milliseconds(10)
      $0.pongTimeout = .milliseconds(50)
    }
    var probe = try await WebSocketProbe(port: exchange.port, target: Self.target)
    #expect(try await probe.nextText() != nil)
    try await require("the fault") { try await exchange.statistics.faults[.halfOpen] == 1 }
    try await probe.send(.ping, "anybody there?")
    try await probe.send(.connectionClose, "")
    try await Self.letPass(400, at: exchange)
    #expect(try await exchange.statistics.connectionsOpen == 1)
    try await probe.close()
    while let frame = try await probe.next() {
      #expect(frame.opcode != .pong && frame.opcode != .connectionClose)
    }
    try await require("the end") { try await exchange.statistics.connectionsOpen == 0 }
    #expect(try await exchange.statistics.silentClients == 0)
    try await exchange.stop()
  }

  @Test func `a connection ends in the middle of a frame, by a reset or a FIN`() async throws {
    for kind in [FaultKind.reset, .fin] {
      let exchange = try await startMarket { $0.faults.afterOpening[kind] = Self.soon }
      let end = try await RawProbe.collect(port: exchange.port, target: Self.target)
      let text = String(buffer: end.bytes)
      #expect(text.hasPrefix("HTTP/1.1 101 ") && text.contains(#"{"e":"trade""#))
      if kind == .reset {
        #expect((end.failure as? IOError)?.errnoCode == ECONNRESET, "\(String(describing: end.failure))")
      } else {
        #expect(end.failure == nil)
        #expect(text.last != "}")
      }
      try await require("the end") { try await exchange.statistics.connectionsOpen == 0 }
      try await exchange.stop()
    }
  }

  @Test func `an announced end is announced, then comes, with data until then`() async throws {
    let exchange = try await startMarket {
      $0.faults.setDay(.milliseconds(200), notice: .milliseconds(100))
      $0.faults.closeCode = 1001
    }
    var probe = try await WebSocketProbe(port: exchange.port, target: Self.target)
    var texts: [String] = []
    var closing: ByteBuffer?
    while closing == nil, let frame = try await probe.next() {
      if frame.opcode == .text { texts.append(String(buffer: frame.data)) }
      if frame.opcode == .connectionClose { closing = frame.data }
    }
    let notice = try #require(texts.firstIndex { $0.hasPrefix(#"{"e":"serverShutdown","E":"#) })
    #expect(notice > 0 && notice < texts.count - 1)
    #expect(closing == ByteBuffer(bytes: [0x03, 0xe9]))
    try await exchange.stop()
  }

  @Test func `random faults meet open connections, the same for the same seed`() async throws {
    let kinds = FaultKind.allCases
    let schedules = [7, 7, 8].map { FaultSchedule(every: .seconds(10), kinds: kinds, seed: $0) }
    let drawn = schedules.map { schedule in
      var schedule = schedule
      return (0..<200).map { _ in (schedule.pause(), schedule.choose(among: 3)) }
    }
    #expect(drawn[0].elementsEqual(drawn[1], by: ==))
    #expect(!drawn[0].elementsEqual(drawn[2], by: ==))
    #expect(drawn[0].allSatisfy { (.seconds(5)..<(.seconds(15))).contains($0.0) })
    #expect(Set(drawn[0].compactMap { $0.1?.kind }) == Set(kinds))
    #expect(Set(drawn[0].compactMap { $0.1?.victim }) == [0, 1, 2])
    var alone = schedules[0]
    #expect((0..<50).allSatisfy { _ in alone.choose(among: 0).map { $0.kind.isPending } ?? true })

    let exchange = try await startMarket {
      $0.faults.randomEvery = .milliseconds(20)
      $0.faults.randomKinds = [.close, .refuse]
    }
    for _ in 0..<3 {
      do {
        var probe = try await WebSocketProbe(port: exchange.port, target: Self.target)
        while try await probe.nextText() != nil {}
      } catch {}
    }
    let faults = try await exchange.statistics.faults
    #expect(faults.values.reduce(0, +) > 0 && Set(faults.keys).isSubset(of: [.close, .refuse]))
    try await exchange.stop()
  }

  @Test func `SUBSCRIBE can be answered with an error, and nothing is subscribed then`() async throws {
    let exchange = try await startMarket { $0.faults.refuseSubscribeShare = 1 }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/stream")
    try await probe.send(.text, #"{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":4}"#)
    #expect(try await probe.nextText() == #"{"error":{"code":3,"msg":"Refused for rehearsal"},"id":4}"#)
    try await probe.send(.text, #"{"method":"LIST_SUBSCRIPTIONS","id":5}"#)
    #expect(try await probe.nextText() == #"{"result":[],"id":5}"#)
    try await exchange.stop()
  }

  @Test func `a share of the attempts is refused, or the next ones`() {
    var faults = ExchangeFaults()
    var door = Admission(isStrict: false, seed: 1)
    func answers(_ count: Int) -> [Int?] {
      (0..<count).map { _ in door.judge(attempts: 1, faults: faults)?.status }
    }
    #expect(answers(20).allSatisfy { $0 == nil })
    door.refuseNext(2)
    door.refuseNext(1)
    #expect(answers(3) == [503, 503, nil])
    faults.refuseWithStatus = 429
    #expect(answers(20).allSatisfy { $0 == 429 })
    faults.refuseShare = 0.25
    #expect((150...350).contains(answers(1000).count { $0 == 429 }))
    faults.refuseShare = 0
    #expect(answers(20).allSatisfy { $0 == nil })
  }
}
