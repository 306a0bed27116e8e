import NIOCore
import NIOWebSocket
import Testing

@testable import Simulate

/// What the exchange does with data on a connection that stays open.
@Suite(.timeLimit(.minutes(3))) struct ExchangeDeliveryFaultTests {
  private static let target = "/ws/btcusdt@trade"
  private static let soon = Duration.milliseconds(30)

  /// What one client got and what the journal says, of an exchange that has a fault soon after the opening and goes
  /// on for so many messages.
  private func run(
    _ kind: FaultKind, messages: Int, _ change: (inout ExchangeConfiguration) -> Void = { _ in }
  ) async throws -> (texts: [String], journal: ExchangeJournal) {
    let folder = TemporaryFolder()
    let exchange = try await startMarket {
      $0.journalFile = folder.file("journal")
      $0.faults.afterOpening[kind] = Self.soon
      change(&$0)
    }
    var probe = try await WebSocketProbe(port: exchange.port, target: Self.target)
    try await require("the fault") { try await exchange.statistics.faults[kind] == 1 }
    let now = try await exchange.statistics.messages
    try await require("messages") { try await exchange.statistics.messages >= now + messages }
    try await exchange.stop()
    let journal = try ExchangeJournal(lines: folder.lines(of: "journal"))
    #expect(journal.others.contains("fault 1 \(kind.rawValue)"))
    return (await probe.allTexts(), journal)
  }

  private func steps(_ texts: [String]) throws -> [Int] {
    let ids = try texts.map { try number("t", in: $0) }
    return zip(ids, ids.dropFirst()).map { $1 - $0 }
  }

  @Test func `a frozen connection gets later all that was made meanwhile, in order`() async throws {
    let (texts, journal) = try await run(.freeze, messages: 3_000) { $0.faults.freezeTime = .seconds(1) }
    #expect(try steps(texts).allSatisfy { $0 == 1 })
    #expect(journal.handed[1] == texts)
    #expect(journal.made.contains { $0.receivers == ["~1"] } && journal.owed[1] == [])
    #expect(journal.made.last?.receivers == ["1"])
  }

  @Test func `a connection that is closed while it is frozen gets first what it is owed`() async throws {
    let (texts, journal) = try await run(.freeze, messages: 300) { $0.faults.freezeTime = .seconds(3600) }
    #expect(texts == journal.made.map(\.payload))
    #expect(journal.made.count { $0.receivers == ["~1"] } >= 300 && journal.owed[1] == [])
  }

  @Test func `data of a connection that lags comes late, and what still waits ends with it`() async throws {
    let (texts, journal) = try await run(.lag, messages: 800) { $0.faults.lagTime = .milliseconds(150) }
    #expect(try steps(texts).allSatisfy { $0 == 1 })
    #expect(journal.handed[1] == texts)
    let lost = try #require(journal.owed[1])
    #expect(!lost.isEmpty && texts + lost == journal.made.map(\.payload))
  }

  @Test func `a connection that babbles says only what is no tick for a while`() async throws {
    let (texts, journal) = try await run(.babble, messages: 3_000) {
      $0.faults.babbleTime = .milliseconds(900)
    }
    let ticks = texts.filter { $0.hasPrefix(#"{"e":"trade""#) }
    #expect(ticks == journal.handed[1])
    #expect(try steps(ticks).count { $0 != 1 } == 1)
    #expect(journal.made.last?.receivers == ["1"])
    #expect(journal.made.contains { $0.receivers == [] })
    let said = journal.others.filter { $0.hasPrefix("babble 1 ") }
    #expect(!said.isEmpty)
    #expect(texts.count - ticks.count == said.count { $0 != "babble 1 binary" })
  }

  @Test func `babble is text, binary and broken JSON, the same for the same seed`() {
    var sources = [Babble(seed: 3), Babble(seed: 3)]
    let words = sources.indices.map { place in (0..<60).map { _ in sources[place].next() } }
    #expect(words[0] == words[1])
    #expect(Set(words[0].map(\.name)) == ["text", "binary", "broken"])
  }

  @Test func `an error that answers nothing is said, and the data goes on`() async throws {
    let (texts, journal) = try await run(.error, messages: 200)
    let errors = texts.filter { $0.hasPrefix(#"{"error":{"code":"#) && !$0.contains("\"id\"") }
    #expect(errors.count == 1)
    #expect(texts.filter { !errors.contains($0) } == journal.made.map(\.payload))
    #expect(journal.others.contains("babble 1 error"))
  }

  @Test func `ids skip on a connection, and the journal has what was left out`() async throws {
    let (texts, journal) = try await run(.skipIDs, messages: 200)
    let skips = try steps(texts).filter { $0 != 1 }
    let skip = try #require(skips.first)
    #expect(skips.count == 1 && (2...4).contains(skip))
    #expect(journal.handed[1] == texts)
    #expect(journal.made.count { $0.receivers == [] } == skip - 1)
  }

  @Test func `nothing skips where no stream is numbered`() async throws {
    let exchange = try await startMarket { $0.faults.afterOpening[.skipIDs] = .milliseconds(1) }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws/btcusdt@miniTicker")
    #expect(try await probe.texts(200).count == 200)
    #expect(try await exchange.statistics.faults[.skipIDs] == nil)
    try await exchange.stop()
  }

  @Test func `pongs come late`() async throws {
    let exchange = try await startMarket {
      $0.faults.hasLatePongs = true
      $0.faults.latePongTime = .milliseconds(200)
    }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/ws")
    let start = ContinuousClock.now
    try await probe.send(.ping, "a")
    let frame = try #require(try await probe.next())
    #expect(frame.opcode == .pong && frame.data == ByteBuffer(string: "a"))
    #expect(ContinuousClock.now - start >= .milliseconds(200))
    try await exchange.stop()
  }

  @Test func `what is owed comes in order, not before it is due`() {
    let start = NIODeadline.now()
    var owed = OwedMessages()
    func due(_ seconds: Int64) -> [String] {
      var texts: [String] = []
      while let message = owed.takeNext(at: start + .seconds(seconds)) {
        texts.append(String(buffer: message))
      }
      return texts
    }
    #expect(!owed.holds(at: start))
    owed.delay(by: .seconds(5))
    owed.append(ByteBuffer(string: "a"), at: start)
    owed.append(ByteBuffer(string: "b"), at: start + .seconds(2))
    #expect(owed.bytes == 2 && owed.nextDue == start + .seconds(5))
    #expect(due(4) == [] && due(6) == ["a"])
    owed.freeze(until: start + .seconds(20))
    owed.append(ByteBuffer(string: "c"), at: start + .seconds(7))
    #expect(due(19) == [] && owed.nextDue == start + .seconds(20))
    #expect(due(20) == ["b", "c"] && owed.bytes == 0)
    #expect(owed.holds(at: start + .seconds(20)) && owed.isLagging)
  }

  @Test func `a client whose owed messages are too many is dropped`() async throws {
    let exchange = try await startMarket {
      $0.clientBacklog = 20_000
      $0.faults.afterOpening[.freeze] = Self.soon
      $0.faults.freezeTime = .seconds(3600)
    }
    var probe = try await WebSocketProbe(port: exchange.port, target: Self.target)
    try await require("the end") { try await exchange.statistics.slowClients == 1 }
    #expect(await !probe.allTexts().isEmpty)
    try await exchange.stop()
  }

  // MARK: Ids

  @Test(arguments: [false, true])
  func `each stream numbers its own events, however many the symbol has`(_ isFutures: Bool) async throws {
    let exchange = try await startMarket { $0.isFutures = isFutures }
    let streams = ["btcusdt", "ethusdt"].flatMap { symbol in
      ["trade", "aggTrade", "depth", "depth@100ms", "miniTicker", "bookTicker"].map { "\(symbol)@\($0)" }
    }
    var probe = try await WebSocketProbe(
      port: exchange.port, target: "/stream?streams=" + streams.joined(separator: "/"))
    let texts = try await probe.texts(600)
    for stream in streams {
      let events = texts.filter { $0.hasPrefix("{\"stream\":\"\(stream)\",") }
      #expect(events.count >= 40)
      for (last, next) in zip(events, events.dropFirst()) {
        if stream.contains("@depth") {
          let before = try number("u", in: last)
          #expect(try number("u", in: next) >= number("U", in: next))
          #expect(try number("U", in: next) > before)
          if isFutures {
            #expect(try number("pu", in: next) == before)
          } else {
            #expect(try number("U", in: next) == before + 1)
          }
        } else if stream.hasSuffix("@aggTrade") {
          #expect(try number("a", in: next) == number("a", in: last) + 1)
        } else if stream.hasSuffix("@trade"), !isFutures {
          #expect(try number("t", in: next) == number("t", in: last) + 1)
        }
      }
    }
    try await exchange.stop()
  }
}
