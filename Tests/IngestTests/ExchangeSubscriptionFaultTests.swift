import NIOCore
import Testing

@testable import Simulate

/// What the exchange does to requests and new connections.
@Suite(.timeLimit(.minutes(3))) struct ExchangeSubscriptionFaultTests {
  private static func subscribe(_ names: [String], id: Int) -> String {
    let list = names.map { "\"\($0)\"" }.joined(separator: ",")
    return #"{"method":"SUBSCRIBE","params":[\#(list)],"id":\#(id)}"#
  }

  /// The next answer to a request, ticks left out.
  private func answer(_ probe: inout WebSocketProbe) async throws -> String? {
    while let text = try await probe.nextText() {
      if !text.hasPrefix(#"{"stream""#) { return text }
    }
    return nil
  }

  private func listing(_ probe: inout WebSocketProbe) async throws -> String? {
    try await probe.send(.text, #"{"method":"LIST_SUBSCRIPTIONS","id":9}"#)
    return try await answer(&probe)
  }

  @Test(arguments: [
    (SubscriptionError.internalError, #"{"code":1,"msg":"Internal error","id":7}"#),
    (.invalidStream, #"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":7}"#),
    (.tooManySubscriptions, #"{"error":{"code":4,"msg":"Too many subscriptions"},"id":7}"#),
  ])
  func `a refusal says its error, and the streams have ticks all the same`(
    _ error: SubscriptionError, _ text: String
  ) async throws {
    let folder = TemporaryFolder()
    let exchange = try await startMarket {
      $0.journalFile = folder.file("journal")
      $0.faults.refuseSubscribeShare = 1
      $0.faults.subscribeError = error
    }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/stream")
    try await probe.send(.text, Self.subscribe(["btcusdt@trade"], id: 7))
    #expect(try await probe.nextText() == text)
    #expect(try await listing(&probe) == #"{"result":[],"id":9}"#)
    try await require("ticks for nobody") { try await exchange.statistics.messages >= 20 }
    try await exchange.stop()
    let journal = try ExchangeJournal(lines: folder.lines(of: "journal"))
    #expect(journal.others.contains("denied 1 \(error.rawValue)"))
    #expect(journal.made.allSatisfy { $0.stream == "btcusdt@trade" && $0.receivers == [] })
  }

  @Test func `a random fault refuses or leaves out one request, and is counted when it does`() async throws {
    for (kind, code) in [(FaultKind.refuseSubscribe, "[124]"), (.muteSubscribe, "0")] {
      let folder = TemporaryFolder()
      let exchange = try await startMarket {
        $0.journalFile = folder.file("journal")
        $0.faults.randomEvery = .milliseconds(1)
        $0.faults.randomKinds = [kind]
      }
      var probe = try await WebSocketProbe(port: exchange.port, target: "/stream")
      var id = 0
      repeat {
        id += 1
        try await probe.send(.text, Self.subscribe(["btcusdt@trade"], id: id))
        _ = try await listing(&probe)
      } while try await exchange.statistics.faults[kind] == nil
      try await exchange.stop()
      let others = try ExchangeJournal(lines: folder.lines(of: "journal")).others
      #expect(others.contains("fault 1 \(kind.rawValue)"))
      let denied = try Regex("denied 1 \(code)")
      #expect(others.contains { $0.wholeMatch(of: denied) != nil })
    }
  }

  @Test func `a pending fault meets one request alone`() {
    var door = Admission(isStrict: false, seed: 1)
    func judge(_ faults: ExchangeFaults = ExchangeFaults()) -> Admission.Answer {
      door.judge(subscribe: ["a@trade"], faults: faults).answer
    }
    #expect(judge() == .granted)
    for _ in 0..<2 { door.meetNextSubscribe(with: .muteSubscribe) }
    #expect(judge() == .none && judge() == .granted)
    var errors: Set<SubscriptionError> = []
    for _ in 0..<50 {
      door.meetNextSubscribe(with: .refuseSubscribe)
      if case .refused(let error) = judge() { errors.insert(error) }
      #expect(judge() == .granted)
    }
    #expect(errors == Set(SubscriptionError.known))
  }

  @Test func `one request is never answered nor granted, the next one is`() async throws {
    let exchange = try await startMarket { $0.faults.mutedSubscribe = 1 }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/stream")
    try await probe.send(.text, Self.subscribe(["btcusdt@trade"], id: 1))
    try await probe.send(.text, Self.subscribe(["ethusdt@trade"], id: 2))
    #expect(try await answer(&probe) == #"{"result":null,"id":2}"#)
    #expect(try await listing(&probe) == #"{"result":["ethusdt@trade"],"id":9}"#)
    try await exchange.stop()
  }

  @Test func `a request with a bad stream is refused whole, a URL is read without it`() async throws {
    let exchange = try await startMarket { $0.faults.badStreams = ["bad@trade"] }
    var probe = try await WebSocketProbe(port: exchange.port, target: "/stream")
    try await probe.send(.text, Self.subscribe(["btcusdt@trade", "bad@trade"], id: 1))
    #expect(
      try await answer(&probe) == #"{"error":{"code":2,"msg":"Invalid request: invalid stream"},"id":1}"#)
    #expect(try await listing(&probe) == #"{"result":[],"id":9}"#)
    try await probe.send(.text, Self.subscribe(["btcusdt@trade"], id: 2))
    #expect(try await answer(&probe) == #"{"result":null,"id":2}"#)
    var named = try await WebSocketProbe(
      port: exchange.port, target: "/stream?streams=bad@trade/btcusdt@trade")
    #expect(try await listing(&named) == #"{"result":["btcusdt@trade"],"id":9}"#)
    try await exchange.stop()
  }

  @Test func `the second connection is granted streams that it never gets while the first one has them`()
    async throws
  {
    let folder = TemporaryFolder()
    let exchange = try await startMarket {
      $0.journalFile = folder.file("journal")
      $0.faults.withheldKinds = ["aggTrade", "kline"]
    }
    let names = ["btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@depth@100ms"]
    let target = "/stream?streams=" + names.joined(separator: "/")
    var first = try await WebSocketProbe(port: exchange.port, target: target)
    #expect(try await first.texts(30).count == 30)
    var second = try await WebSocketProbe(port: exchange.port, target: "/stream")
    try await second.send(.text, Self.subscribe(names, id: 1))
    #expect(try await answer(&second) == #"{"result":null,"id":1}"#)
    #expect(try await listing(&second)?.contains("btcusdt@aggTrade") == true)
    #expect(try await second.texts(60).allSatisfy { $0.hasPrefix(#"{"stream":"btcusdt@depth@100ms""#) })
    try await first.close()
    try await require("the first one's end") { try await exchange.statistics.connectionsOpen == 1 }
    #expect(try await second.texts(60).allSatisfy { $0.hasPrefix(#"{"stream":"btcusdt@depth@100ms""#) })
    try await second.close()
    try await require("an empty exchange") { try await exchange.statistics.connectionsOpen == 0 }
    var third = try await WebSocketProbe(port: exchange.port, target: target)
    let streams = Set(try await third.texts(30).compactMap { $0.split(separator: "\"").dropFirst(3).first })
    #expect(streams.count == 3)
    try await exchange.stop()
    let journal = try ExchangeJournal(lines: folder.lines(of: "journal"))
    let toSecond = journal.made.filter { $0.receivers.contains("2") }
    #expect(!toSecond.isEmpty && toSecond.allSatisfy { $0.stream == "btcusdt@depth@100ms" })
  }

  @Test func `a random withholding waits for a connection that shares streams, and takes a share of them`() {
    let shared = (0..<200).map { (name: "s\($0)@trade", number: $0) }
    var details = FaultDetails(seed: 1)
    let faults = ExchangeFaults()
    #expect(details.withheld(among: shared, isChosen: false, faults: faults) == .init())
    details.withholdsNext = true
    #expect(details.withheld(among: [], isChosen: false, faults: faults) == .init())
    let first = details.withheld(among: shared, isChosen: false, faults: faults)
    #expect(first.isRandom && (30...90).contains(first.streams.count))
    #expect(details.withheld(among: shared, isChosen: false, faults: faults) == .init())
    #expect(!details.withheld(among: shared, isChosen: true, faults: faults).streams.isEmpty)
    details.withholdsNext = true
    let one = details.withheld(among: Array(shared.prefix(1)), isChosen: false, faults: faults)
    #expect(one.streams == [0])
  }

  @Test func `a refusal can say when to come again`() async throws {
    let exchange = try await startMarket {
      $0.faults.refuseWithStatus = 429
      $0.faults.retryAfter = 120
    }
    let answer = try await RawProbe.collect(port: exchange.port, target: "/ws")
    let text = String(buffer: answer.bytes)
    #expect(text.hasPrefix("HTTP/1.1 429 ") && text.contains("\r\nRetry-After: 120\r\n"))
    try await exchange.stop()
  }

  @Test func `one exchange has several addresses, dead ones and ones that refuse`() async throws {
    let exchange = try await startMarket {
      $0.furtherAddresses = [.init(host: "127.0.0.2", port: 0), .init(host: "127.0.0.1", port: 0)]
      $0.deadAddresses = [.init(host: "127.0.0.3", port: 0)]
      $0.unavailableAddresses = [.init(host: "127.0.0.4", port: 0)]
    }
    let ports = exchange.addresses.map(\.port)
    #expect(ports == [ports[0], ports[0], ports[2], ports[0], ports[0]] && ports[0] != ports[2])
    for address in exchange.addresses.prefix(3) {
      var probe = try await WebSocketProbe(
        host: address.host, port: address.port, target: "/ws/btcusdt@trade")
      #expect(try await probe.texts(5).count == 5)
    }
    #expect(try await exchange.statistics.connectionsOpened == 3)
    let refused = try await WebSocketProbe(host: "127.0.0.4", port: ports[0], target: "/ws")
    #expect(refused.status.contains("503"))
    let silence = try await RawProbe.open(host: "127.0.0.3", port: ports[0], target: "/ws")
    let made = try await exchange.statistics.messages
    try await require("messages") { try await exchange.statistics.messages >= made + 500 }
    try await exchange.stop()
    #expect(try await silence.get().bytes.readableBytes == 0)
  }
}
