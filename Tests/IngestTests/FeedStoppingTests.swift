import Glibc
import Ingest
import Simulate
import TestSupport
import Testing

@testable import struct Ingest.FeedSession

/// A feed ends when it is told to, whatever its connections are doing.
@Suite(.serialized, .timeLimit(.minutes(4))) struct FeedStoppingTests {
  enum Phase: String, CaseIterable {
    case connecting, securing, upgrading, subscribing, waiting, live, rotating, unanswered
  }

  /// A server that brings a feed into the phase and leaves it there.
  private struct Place {
    var url: String
    var streams = ["btcusdt@trade"]
    var limits = FeedSession.Limits()
    var isReached: (Feed) async throws -> Bool
    var stop: () async throws -> Void
  }

  private func place(_ phase: Phase, _ fixture: FeedFixture) async throws -> Place {
    switch phase {
    case .connecting:
      let full = try FullListener()
      return Place(
        url: "ws://127.0.0.1:\(full.port)", isReached: { $0.statistics.attempts == 1 }, stop: { full.close() }
      )
    case .securing, .upgrading:
      let silent = try await SilentServer.start()
      return Place(
        url: "\(phase == .securing ? "wss" : "ws")://127.0.0.1:\(silent.port)",
        isReached: { $0.statistics.attempts == 1 }, stop: silent.stop)
    case .subscribing:
      let exchange = try await fixture.startExchange { $0.faults.afterOpening[.halfOpen] = .zero }
      return Place(
        url: "ws://127.0.0.1:\(exchange.port)", streams: (0..<400).map { "symbol\($0)usdt@trade" },
        isReached: { _ in try await exchange.statistics.connectionsOpened == 1 }, stop: exchange.stop)
    case .waiting:
      let exchange = try await fixture.startExchange { $0.faults.refuseWithStatus = 503 }
      return Place(
        url: "ws://127.0.0.1:\(exchange.port)", isReached: { $0.statistics.attempts >= 2 },
        stop: exchange.stop)
    case .live, .rotating:
      let exchange = try await fixture.startExchange { $0.messagesPerSecond = 500 }
      var place = Place(
        url: "ws://127.0.0.1:\(exchange.port)", isReached: { $0.statistics.ticks > 10 }, stop: exchange.stop)
      if phase == .rotating {
        place.limits.maximumAge = .milliseconds(10)
        place.isReached = { $0.statistics.rotations >= 2 }
      }
      return place
    case .unanswered:
      let exchange = try await fixture.startExchange { $0.faults.afterOpening[.halfOpen] = .zero }
      var limits = FeedSession.Limits()
      limits.stopping = .milliseconds(50)
      return Place(
        url: "ws://127.0.0.1:\(exchange.port)", limits: limits,
        isReached: { $0.statistics.connections == 1 }, stop: exchange.stop)
    }
  }

  @Test(arguments: Phase.allCases, [false, true])
  func `stopping or cancelling ends it in every phase`(_ phase: Phase, _ isCancelled: Bool) async throws {
    let fixture = try await FeedFixture()
    let place = try await place(phase, fixture)
    let feed = try fixture.makeFeed(port: 0, streams: place.streams, url: place.url, limits: place.limits)
    let run = Task { try await feed.run() }
    try await require("the phase") { try await place.isReached(feed) }
    if isCancelled {
      run.cancel()
    } else {
      feed.stop()
    }
    try await run.value
    #expect(feed.statistics.connections == 0)
    #expect(try fixture.ticks().count == feed.statistics.ticks)
    try await place.stop()
    try await fixture.log.close()
  }

  @Test(arguments: [
    (Phase.connecting, "TCP"), (.securing, "upgrade"), (.upgrading, "upgrade"), (.subscribing, "subscribe"),
  ])
  func `an attempt that hangs is given up, and it is said where`(_ phase: Phase, _ words: String) async throws
  {
    var fixture = try await FeedFixture()
    let logs = RecordedLogs()
    fixture.logger = logs.logger
    var place = try await place(phase, fixture)
    place.limits.opening = .seconds(3)
    let feed = try fixture.makeFeed(port: 0, streams: place.streams, url: place.url, limits: place.limits)
    try await fixture.running(feed) {
      try await require("another attempt") { feed.statistics.attempts >= 2 }
    }
    let reasons = logs.entries.compactMap { $0.metadata["reason"].map { "\($0)" } }
    #expect(
      reasons.contains { $0.contains("not open after 3 s") && $0.contains(words) }, "\(reasons)")
    #expect(feed.statistics.gaps == 1)
    try await place.stop()
    try await fixture.log.close()
  }
}

/// A socket whose queue of connections is full, so that the next one neither opens nor fails.
private struct FullListener {
  let port: Int
  private let sockets: [Int32]

  init() throws {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isListening = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 0) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    try #require(isListening)
    port = Int(UInt16(bigEndian: address.sin_port))
    var sockets = [listener]
    for _ in 0..<4 {
      let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
      withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { _ = connect(client, $0, size) }
      }
      sockets.append(client)
    }
    self.sockets = sockets
  }

  func close() { for socket in sockets { Glibc.close(socket) } }
}
