import Logging
import NIOCore

/// The part of the exchange that all clients share: subscriptions, the source of messages, and the pace.
///
/// It lives on one event loop, as every connection does, and is touched from nowhere else.
final class TradingFloor {
  private struct Stream {
    let name: String
    let kind: (kind: StreamKind, symbol: String)?
    /// `{"stream":"…","data":`
    let opening: ByteBuffer
    var lastEventTime: Int64 = 0
    var subscribers: [ClientConnection] = []
  }

  let logger: Logger
  let pingInterval: TimeAmount
  let pongTimeout: TimeAmount
  let eventTime: @Sendable () -> Int64
  var faults: ExchangeFaults
  var statistics = ExchangeStatistics()

  private let loop: NIOIsolatedEventLoop
  private let messageLimit: Int
  private var pacer: Pacer
  private var market: Market
  private var recording: Recording?
  private let plays: Bool
  private var record: SentRecord?
  private var streams: [Stream] = []
  private var streamIndex: [String: Int] = [:]
  private var connections: [ClientConnection] = []
  private var turn = 0
  private var nextStep: Scheduled<Void>?
  private var isStepping = false
  private let ended: EventLoopPromise<Void>
  private var hasEnded = false

  /// Messages, and about as many bytes, that leave in one step before the loop looks at other things.
  private static let messagesAStep = 2048
  private static let bytesAStep = 512 * 1024

  /// Throws ``ExchangeError`` if a file cannot be opened.
  init(
    configuration: ExchangeConfiguration, eventTime: @escaping @Sendable () -> Int64,
    loop: NIOIsolatedEventLoop, logger: Logger, ended: EventLoopPromise<Void>
  ) throws(ExchangeError) {
    self.logger = logger
    self.loop = loop
    self.ended = ended
    self.eventTime = eventTime
    pingInterval = TimeAmount(configuration.pingInterval)
    pongTimeout = TimeAmount(configuration.pongTimeout)
    faults = configuration.faults
    messageLimit = configuration.messageLimit ?? .max
    pacer = Pacer(messagesPerSecond: configuration.messagesPerSecond)
    switch configuration.source {
    case .madeUp(let seed):
      market = Market(seed: seed, listedSymbols: configuration.listedSymbols)
      plays = false
    case .recording(let path, let repeats):
      market = Market(seed: 0, listedSymbols: [])
      recording = try Recording(path: path, repeats: repeats)
      plays = true
    }
    if let path = configuration.recordFile { record = try SentRecord(path: path) }
  }

  // MARK: Clients

  func admit(_ connection: ClientConnection, streams names: [String]) {
    statistics.connectionsOpened += 1
    connections.append(connection)
    statistics.connectionsOpen = connections.count
    subscribe(connection, to: names)
    if faults.messagesWithUpgrade > 0 { send(atMost: faults.messagesWithUpgrade, firstTo: connection) }
  }

  func dismiss(_ connection: ClientConnection) {
    guard let place = connections.firstIndex(where: { $0 === connection }) else { return }
    connections.remove(at: place)
    statistics.connectionsOpen = connections.count
    for index in streams.indices { streams[index].subscribers.removeAll { $0 === connection } }
    wake()
  }

  func subscribe(_ connection: ClientConnection, to names: [String]) {
    for name in names {
      let index = stream(name)
      if !streams[index].subscribers.contains(where: { $0 === connection }) {
        streams[index].subscribers.append(connection)
      }
    }
    wake()
  }

  func unsubscribe(_ connection: ClientConnection, from names: [String]) {
    for name in names {
      guard let index = streamIndex[name] else { continue }
      streams[index].subscribers.removeAll { $0 === connection }
    }
  }

  func subscriptions(of connection: ClientConnection) -> [String] {
    streams.filter { $0.subscribers.contains { $0 === connection } }.map(\.name)
  }

  func closeConnections() {
    for connection in connections { connection.close(code: .goingAway) }
  }

  private func stream(_ name: String) -> Int {
    if let index = streamIndex[name] { return index }
    let opening = ByteBuffer(string: "{\"stream\":\"\(name)\",\"data\":")
    streams.append(Stream(name: name, kind: StreamKind.parse(name), opening: opening))
    streamIndex[name] = streams.count - 1
    return streams.count - 1
  }

  // MARK: Sending

  /// Sends what is due now and arranges for the next time.
  private func step() {
    guard !hasEnded else { return }
    guard connections.allSatisfy(\.isWritable) else { return }
    let due = pacer.take(atMost: Self.messagesAStep, at: .now())
    let sent = send(atMost: due, firstTo: nil)
    pacer.giveBack(due - sent)
    for connection in connections { connection.flush() }
    // Nothing to send although something was due: asleep until somebody subscribes.
    if due > 0, sent == 0 { return }
    wake()
  }

  /// Goes on sending: somebody has subscribed or left, or can take more.
  func wake() {
    guard !hasEnded, !connections.isEmpty, nextStep == nil, !isStepping else { return }
    nextStep = loop.scheduleTask(in: pacer.pause) {
      self.nextStep = nil
      self.step()
    }
  }

  /// Returns how many messages went to somebody.
  @discardableResult
  private func send(atMost count: Int, firstTo newcomer: ClientConnection?) -> Int {
    isStepping = true
    defer { isStepping = false }
    var sent = 0
    var bytes = 0
    do {
      while sent < count, bytes < Self.bytesAStep {
        if statistics.messages >= messageLimit {
          try end()
          break
        }
        guard let size = plays ? try sendRecorded() : try sendMadeUp(to: newcomer) else { break }
        sent += 1
        bytes += size
        statistics.messages += 1
      }
    } catch {
      logger.error("The exchange stops sending.", metadata: ["error": "\(error)"])
      hasEnded = true
      ended.fail(error)
    }
    return sent
  }

  private func end() throws(ExchangeError) {
    try record?.flush()
    hasEnded = true
    ended.succeed()
  }

  /// Finishes the record. Nothing is sent afterwards.
  func finish() throws(ExchangeError) {
    if !hasEnded { try end() }
  }

  private func sendMadeUp(to newcomer: ClientConnection?) throws(ExchangeError) -> Int? {
    for _ in streams.indices {
      turn = (turn + 1) % streams.count
      guard let kind = streams[turn].kind, !streams[turn].subscribers.isEmpty else { continue }
      if let newcomer, !streams[turn].subscribers.contains(where: { $0 === newcomer }) { continue }
      let time = max(eventTime(), streams[turn].lastEventTime + 1)
      streams[turn].lastEventTime = time
      let event = market.nextEvent(kind.kind, symbol: kind.symbol, at: time)
      try deliver(event: event, combined: nil, on: turn)
      return event.readableBytes
    }
    return nil
  }

  private func sendRecorded() throws(ExchangeError) -> Int? {
    let index = streamIndex
    let streams = self.streams
    // A recording does not run on, or out, while nobody listens.
    guard streams.contains(where: { !$0.subscribers.isEmpty }) else { return nil }
    guard
      let message = try recording?.next(wanted: { name in
        index[name].map { !streams[$0].subscribers.isEmpty } ?? false
      })
    else {
      try end()
      return nil
    }
    let line = ByteBuffer(bytes: message.line)
    guard let name = message.stream else {
      for connection in connections { connection.send(line) }
      try record?.append(line)
      return line.readableBytes
    }
    let event = line.getSlice(at: message.event.lowerBound, length: message.event.count) ?? line
    try deliver(event: event, combined: message.isCombined ? line : nil, on: stream(name))
    return line.readableBytes
  }

  private func deliver(event: ByteBuffer, combined given: ByteBuffer?, on index: Int) throws(ExchangeError) {
    var combined = given
    for (place, connection) in streams[index].subscribers.enumerated() {
      var message = event
      if connection.form == .combined {
        message = combined ?? wrapped(event, on: index)
        combined = message
      }
      connection.send(message)
      if place == 0 { try record?.append(message) }
    }
  }

  private func wrapped(_ event: ByteBuffer, on index: Int) -> ByteBuffer {
    var message = streams[index].opening
    message.writeImmutableBuffer(event)
    message.writeInteger(UInt8(ascii: "}"))
    return message
  }
}
