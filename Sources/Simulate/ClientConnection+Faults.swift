import NIOCore

/// What the exchange's faults do to a connection.
extension ClientConnection {
  /// The time between two things that a babbling connection says.
  private static let babblePause = TimeAmount.milliseconds(200)

  /// Makes a fault happen, other than one that needs to know more than this connection.
  func suffer(_ fault: FaultKind) {
    switch fault {
    case .close: close()
    case .shutdown:
      put(ByteBuffer(string: "{\"e\":\"serverShutdown\",\"E\":\(market.eventTime())}"))
      flush()
      loop.scheduleTask(in: TimeAmount(faults.shutdownNotice)) { self.close() }
    case .reset, .fin: state = .toBeCut(withReset: fault == .reset)
    case .stall: state = .stalled
    case .halfOpen: state = .deaf
    case .freeze: owed.freeze(until: .now() + TimeAmount(faults.freezeTime))
    case .lag: owed.delay(by: TimeAmount(faults.lagTime))
    case .babble: babble(until: .now() + TimeAmount(faults.babbleTime))
    case .error:
      say(market.nextError())
      flush()
    case .latePong: pongDelay = TimeAmount(faults.latePongTime)
    case .skipIDs, .refuse, .withhold, .refuseSubscribe, .muteSubscribe: break
    }
  }

  /// Whether a message of this stream is not sent on this connection alone.
  func isLeftOut(_ stream: Int) -> Bool {
    if withheld.contains(stream) { return true }
    guard let skipping, skipping.stream == stream else { return false }
    self.skipping = skipping.left > 1 ? (stream, skipping.left - 1) : nil
    return true
  }

  // MARK: Late messages

  /// Sends what is owed when it is due.
  func scheduleOwed() {
    guard owedDelivery == nil, let due = owed.nextDue else { return }
    owedDelivery = loop.scheduleTask(deadline: due) {
      self.owedDelivery = nil
      if self.state == .well { self.deliverOwed() } else { self.owed.removeAll() }
      self.scheduleOwed()
    }
  }

  /// A connection that was only frozen gets all before it is closed. What waits in the queue of one that lags is
  /// lost.
  func payUp() {
    guard !owed.isEmpty, !owed.isLagging else { return owed.removeAll() }
    owed.release()
    deliverOwed()
  }

  private func deliverOwed() {
    let now = NIODeadline.now()
    var count = 0
    while state == .well, let message = owed.takeNext(at: now) {
      put(message)
      count += 1
    }
    guard count > 0 else { return }
    market.deliveredLate(count, to: self)
    flush()
    market.wake()
  }

  // MARK: What is no tick

  private func babble(until end: NIODeadline) {
    isBabbling = true
    owed.freeze(until: end)
    babbleOn(until: end)
  }

  private func babbleOn(until end: NIODeadline) {
    guard state == .well, .now() < end else {
      isBabbling = false
      return
    }
    say(market.nextBabble())
    flush()
    loop.scheduleTask(in: min(Self.babblePause, end - .now())) { self.babbleOn(until: end) }
  }

  private func say(_ word: Babble.Word) {
    switch word {
    case .text(let text), .broken(let text), .error(let text):
      outgoing.append(message: ByteBuffer(string: text))
    case .binary(let bytes): outgoing.append(binary: ByteBuffer(bytes: bytes))
    }
    market.babbled(word, on: self)
  }
}
