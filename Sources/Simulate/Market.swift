import Logging
import NIOCore

/// The part of the exchange that all clients share: who is there, the source of messages, and the pace.
///
/// It lives on one event loop, as every connection does, and is touched from nowhere else.
final class Market {
  let logger: Logger
  let pingInterval: TimeAmount
  let pongTimeout: TimeAmount
  let waitsForClients: Bool
  let clientBacklog: Int
  let isStrict: Bool
  private let isFutures: Bool
  let eventTime: @Sendable () -> Int64
  var faults: ExchangeFaults
  var statistics = ExchangeStatistics()
  /// A moment at which everything that had come by then had been read.
  private(set) var lastLook = NIODeadline.now()

  private let loop: NIOIsolatedEventLoop
  private let wallClock: @Sendable () -> Int64
  private let messageLimit: Int
  private var pacer: Pacer
  private var source: MessageSource
  private var record: LineFile?
  private let journal: Journal?
  private var book = StreamBook()
  private var connections: [ClientConnection] = []
  private var admission: Admission
  private var faultSchedule: FaultSchedule?
  private var details: FaultDetails
  private var lastStep = NIODeadline.now()
  private var nextStep: Scheduled<Void>?
  private var isStepping = false
  private let ended: EventLoopPromise<Void>
  private var hasEnded = false

  /// Messages, and about as many bytes, that leave in one step before the loop looks at other things.
  private static let messagesAStep = 2048
  private static let bytesAStep = 512 * 1024

  /// - Parameter wallClock: microseconds since 1970, UTC.
  ///
  /// Throws ``ExchangeError`` if a file cannot be opened.
  init(
    configuration: ExchangeConfiguration, wallClock: @escaping @Sendable () -> Int64,
    loop: NIOIsolatedEventLoop, logger: Logger, ended: EventLoopPromise<Void>
  ) throws(ExchangeError) {
    self.logger = logger
    self.loop = loop
    self.ended = ended
    self.wallClock = wallClock
    eventTime = configuration.eventTime ?? { wallClock() / 1000 }
    pingInterval = TimeAmount(configuration.pingInterval)
    pongTimeout = TimeAmount(configuration.pongTimeout)
    pacer = Pacer(messagesPerSecond: configuration.messagesPerSecond)
    waitsForClients = configuration.waitsForClients || pacer.isUnlimited
    clientBacklog = configuration.clientBacklog
    isStrict = configuration.isStrict
    faults = configuration.faults
    messageLimit = configuration.messageLimit ?? .max
    source = try MessageSource(configuration: configuration, eventTime: eventTime)
    admission = Admission(isStrict: isStrict, seed: source.seed)
    details = FaultDetails(seed: source.seed)
    isFutures = configuration.isFutures
    if let path = configuration.recordFile { record = try LineFile(path: path) }
    journal = if let path = configuration.journalFile { try Journal(path: path) } else { nil }
    if let every = faults.randomEvery {
      faultSchedule = FaultSchedule(every: every, kinds: faults.randomKinds, seed: source.seed)
      scheduleFault()
    }
    if journal != nil { scheduleFlush() }
  }

  // MARK: The door

  /// Counts an attempt to connect; for ``judge(_:)``.
  func attempt(from address: String) -> Int {
    statistics.attempts += 1
    let attempts = admission.attempt(from: address, at: .now())
    statistics.mostAttempts = max(statistics.mostAttempts, attempts)
    return attempts
  }

  /// The seconds that a refused client is to wait, if the exchange says.
  var retryAfter: Int? { faults.retryAfter }

  /// The HTTP status to refuse an attempt with; nil lets it in.
  func judge(_ attempts: Int) -> Int? {
    guard let denial = admission.judge(attempts: attempts, faults: faults) else { return nil }
    if let rule = denial.rule { statistics.violations[rule, default: 0] += 1 }
    return denial.status
  }

  func refused(status: Int) {
    statistics.connectionsRefused += 1
    writing { () throws(ExchangeError) in try journal?.refused(status: status, at: wallClock()) }
  }

  func nextNumber() -> Int {
    statistics.connectionsOpened += 1
    return statistics.connectionsOpened
  }

  func admit(_ connection: ClientConnection, streams names: [String]) {
    connections.append(connection)
    statistics.connectionsOpen += 1
    statistics.mostConnectionsOpen = max(statistics.mostConnectionsOpen, statistics.connectionsOpen)
    // The exchange reads a URL without the names that it does not know.
    book.subscribe(connection, to: names.filter { !faults.badStreams.contains($0) })
    writing { () throws(ExchangeError) in
      try journal?.opened(
        connection.number, streams: connection.streams.count, open: statistics.connectionsOpen,
        at: wallClock())
    }
    withhold(names, from: connection)
    if faults.messagesWithUpgrade > 0 { send(atMost: faults.messagesWithUpgrade, firstTo: connection) }
    wake()
  }

  /// The client takes no part any more, although its connection may still be open.
  func dismiss(_ connection: ClientConnection) {
    guard let place = connections.firstIndex(where: { $0 === connection }) else { return }
    connections.remove(at: place)
    book.remove(connection)
    wake()
  }

  /// The connection is no more.
  func ended(_ connection: ClientConnection) {
    statistics.connectionsOpen -= 1
    writing { () throws(ExchangeError) in
      try journal?.ended(connection.number, open: statistics.connectionsOpen, at: wallClock())
    }
  }

  func closeConnections() {
    for connection in connections { connection.close(code: .goingAway) }
  }

  // MARK: Subscriptions

  /// The answer to a SUBSCRIBE request. Streams that are not granted have ticks from then on all the same: they
  /// were asked for.
  func judgeSubscribe(of connection: ClientConnection, to names: [String]) -> Admission.Answer {
    let (answer, fault) = admission.judge(subscribe: names, faults: faults)
    if let fault { note(fault, on: connection) }
    guard answer != .granted else { return answer }
    for name in names where !faults.badStreams.contains(name) { _ = book.add(name) }
    let code = if case .refused(let error) = answer { error.rawValue } else { 0 }
    writing { () throws(ExchangeError) in
      try journal?.denied(connection.number, code: code, at: wallClock())
    }
    wake()
    return answer
  }

  /// False if the rules forbid so many; the client is to be dropped then.
  func subscribe(_ connection: ClientConnection, to names: [String]) -> Bool {
    book.subscribe(connection, to: names)
    writing { () throws(ExchangeError) in
      try journal?.subscribed(connection.number, streams: connection.streams.count, at: wallClock())
    }
    withhold(names, from: connection)
    if isStrict, connection.streams.count > ClientLimits.streams {
      statistics.violations[.streams, default: 0] += 1
      return false
    }
    wake()
    return true
  }

  func unsubscribe(_ connection: ClientConnection, from names: [String]) {
    book.unsubscribe(connection, from: names)
  }

  func subscriptions(of connection: ClientConnection) -> [String] { book.subscriptions(of: connection) }

  // MARK: Faults

  /// Makes a fault happen to a connection.
  func work(_ kind: FaultKind, on connection: ClientConnection) {
    if kind == .skipIDs {
      let numbered = connection.streams.subtracting(connection.withheld).sorted().filter {
        book.kind(of: $0)?.kind.isNumbered(isFutures: isFutures) ?? false
      }
      guard let skip = details.skip(among: numbered) else { return }
      connection.skipping = skip
    }
    note(kind, on: connection)
    connection.suffer(kind)
  }

  private func note(_ kind: FaultKind, on connection: ClientConnection) {
    statistics.faults[kind, default: 0] += 1
    writing { () throws(ExchangeError) in
      try journal?.fault(kind.rawValue, on: connection.number, at: wallClock())
    }
  }

  /// Decides which of these streams a connection is granted and never gets.
  private func withhold(_ names: [String], from connection: ClientConnection) {
    let shared = names.compactMap { name in
      book.number(of: name).flatMap { number in
        book.subscribers(of: number).contains { $0 !== connection && $0.isWell } ? (name, number) : nil
      }
    }
    let withheld = details.withheld(
      among: shared, isChosen: connection.isWithholding, faults: faults)
    connection.withheld.formUnion(withheld.streams)
    guard withheld.isRandom, !connection.isWithholding else { return }
    connection.isWithholding = true
    note(.withhold, on: connection)
  }

  func nextBabble() -> Babble.Word { details.babble.next() }

  func nextError() -> Babble.Word { details.babble.nextError() }

  func babbled(_ word: Babble.Word, on connection: ClientConnection) {
    writing { () throws(ExchangeError) in
      try journal?.babble(word.name, on: connection.number, at: wallClock())
    }
  }

  /// So many of the oldest messages that a connection was owed have been handed to its socket.
  func deliveredLate(_ count: Int, to connection: ClientConnection) {
    writing { () throws(ExchangeError) in
      try journal?.late(connection.number, messages: count, at: wallClock())
    }
  }

  private func scheduleFault() {
    guard let pause = faultSchedule?.pause() else { return }
    loop.scheduleTask(in: TimeAmount(pause)) {
      self.workRandomFault()
      self.scheduleFault()
    }
  }

  private func workRandomFault() {
    let well = connections.filter { $0.isWell && !$0.isSuffering }
    guard !hasEnded, let choice = faultSchedule?.choose(among: well.count) else { return }
    if let victim = choice.victim { return work(choice.kind, on: well[victim]) }
    switch choice.kind {
    case .refuse:
      statistics.faults[choice.kind, default: 0] += 1
      admission.refuseNext(choice.refusals)
    case .withhold: details.withholdsNext = true
    // These count when they meet a client.
    default: admission.meetNextSubscribe(with: choice.kind)
    }
  }

  // MARK: Sending

  /// Sends what is due now and arranges for the next time.
  private func step() {
    guard !hasEnded else { return }
    let now = NIODeadline.now()
    // What is read after this had not come before the previous step: the loop looked at all sockets since.
    (lastLook, lastStep) = (lastStep, now)
    if waitsForClients, !connections.allSatisfy(\.isReady) { return }
    let due = pacer.take(atMost: Self.messagesAStep, at: now)
    let sent = send(atMost: due, firstTo: nil)
    pacer.giveBack(due - sent)
    // A copy: a client that is dropped leaves the list.
    for connection in Array(connections) { connection.flush() }
    // Nothing to send although something was due: asleep until somebody subscribes.
    if due > 0, sent == 0 { return }
    wake()
  }

  /// Goes on sending: somebody has subscribed or left, or can take more.
  func wake() {
    guard !hasEnded, nextStep == nil, !isStepping else { return }
    if waitsForClients || source.isRecording, connections.isEmpty { return }
    nextStep = loop.scheduleTask(in: pacer.pause) {
      self.nextStep = nil
      self.step()
    }
  }

  /// Returns how many messages were made.
  @discardableResult
  private func send(atMost count: Int, firstTo newcomer: ClientConnection?) -> Int {
    isStepping = true
    defer { isStepping = false }
    var sent = 0
    var bytes = 0
    let time = wallClock()
    writing { () throws(ExchangeError) in
      while sent < count, bytes < Self.bytesAStep {
        if statistics.messages >= messageLimit {
          try end()
          break
        }
        guard let message = try next(for: newcomer) else { break }
        try deliver(message, at: time)
        sent += 1
        bytes += message.event.readableBytes
        statistics.messages += 1
      }
    }
    return sent
  }

  private func next(for newcomer: ClientConnection?) throws(ExchangeError) -> MessageSource.Message? {
    let needsListeners = waitsForClients || source.isRecording
    let next = try source.next(for: &book) { number, book in
      if let newcomer { return newcomer.streams.contains(number) }
      return !needsListeners || !book.subscribers(of: number).isEmpty
    }
    switch next {
    case .message(let message): return message
    case .nothing: return nil
    case .atEnd:
      try end()
      return nil
    }
  }

  private func deliver(_ message: MessageSource.Message, at time: Int64) throws(ExchangeError) {
    let event = message.event
    let subscribers = message.stream.map { book.subscribers(of: $0) } ?? connections
    var combined = message.combined
    var receivers: [Journal.Receiver] = []
    for (place, connection) in subscribers.enumerated() {
      var form = event
      if connection.form == .combined, let number = message.stream {
        form = combined ?? book.wrapped(event, on: number)
        combined = form
      }
      let fate = connection.send(form, of: message.stream)
      if journal != nil, fate != .lost {
        receivers.append(Journal.Receiver(connection: connection.number, isOwed: fate == .owed))
      }
      if place == 0 { try record?.writeLine(form) }
    }
    let name = message.stream.map { book.name(of: $0) } ?? "-"
    try journal?.sent(at: time, to: receivers, stream: name, payload: event)
  }

  // MARK: The end

  /// Stops the exchange if a file cannot be read or written.
  private func writing(_ body: () throws(ExchangeError) -> Void) {
    do { try body() } catch {
      logger.error("The exchange stops sending.", metadata: ["error": "\(error)"])
      guard !hasEnded else { return }
      hasEnded = true
      ended.fail(error)
    }
  }

  private func end() throws(ExchangeError) {
    try record?.flush()
    try journal?.flush()
    hasEnded = true
    ended.succeed()
  }

  /// Finishes record and journal. Nothing is sent afterwards.
  func finish() throws(ExchangeError) {
    if !hasEnded { try end() }
    try journal?.flush()
  }

  private func scheduleFlush() {
    loop.scheduleTask(in: .seconds(1)) {
      self.writing { () throws(ExchangeError) in try self.journal?.flush() }
      self.scheduleFlush()
    }
  }
}
