import Base
import NIOCore
import WAL

/// The figures of a feed and its words: what is counted and said of connections and streams.
extension FeedDriver {
  // MARK: Connections

  func connectionsChanged() {
    let all = Array(slots.values) + Array(retiring.values)
    for slot in slots.values where slot.openConnections == 0 { watch.cutOff(slot.streams) }
    let connections = all.reduce(0) { $0 + $1.openConnections }
    let granted = slots.values.flatMap(\.grantedStreams)
    let refused = NamedStreams(slots.values.flatMap(\.refusedStreams))
    // One that is refused has another reason to be silent.
    let silent = silentStreams.isEmpty ? [] : silentStreams.intersection(granted)
    let time = environment.wallClock()
    let next = nextAttempt(at: time)
    counters.update {
      $0.connections = connections
      $0.plannedConnections = slots.count
      $0.connectedStreams = granted.count
      $0.plannedStreams = streams.count
      $0.refusedStreams = refused
      $0.silentStreams = NamedStreams(Array(silent))
      $0.nextAttemptAt = next
      $0.isOver = state != .running
      $0.connectedSince = granted.isEmpty ? nil : $0.connectedSince ?? time
      $0.disconnectedSince = granted.isEmpty ? $0.disconnectedSince ?? time : nil
    }
  }

  /// Microseconds UTC: the first attempt of the slots that wait without a connection.
  /// - Parameter time: now, microseconds UTC.
  private func nextAttempt(at time: Int64) -> Int64? {
    let now = now
    guard let first = slots.values.compactMap(\.nextAttempt).min() else { return nil }
    let wait = max(first - now, attempts.hold(at: now), .zero)
    return time + Int64(wait / .microseconds(1))
  }

  /// - Parameters:
  ///   - address: of the server.
  ///   - granted: the streams that it is subscribed to.
  func opened(_ connection: FeedConnection, of slot: FeedSlot, at address: SocketAddress?, granted: Int) {
    watch.subscribed(slot.streams, at: now)
    if connection.id.number > 1, slot.openConnections == 1 { counters.update { $0.reconnects += 1 } }
    connectionsChanged()
    messages.connected(
      slot: slot.id, streams: granted, address: named(address), gaps: slot.openGap?.all ?? [], at: now)
  }

  /// - Parameter address: of the server, if the connection was not open.
  func lost(_ reason: FeedError, of slot: FeedSlot, at address: SocketAddress?) {
    guard state == .running else { return }
    messages.lost(
      reason, slot: slot.id, address: named(address), hasOther: slot.openConnections > 0, at: now)
    if let asked = reason.retryAfter { hold(asked, reason) }
  }

  /// The address as it is said; nil where the URL names it, so that there is nothing to tell.
  private func named(_ address: SocketAddress?) -> String? {
    environment.endpoint.isHostName ? address?.ipAddress : nil
  }

  // MARK: Streams

  /// One message had more events than are taken of one.
  func passedOver(_ surplus: Surplus, of slot: FeedSlot) {
    messages.passedOver(surplus, slot: slot.id, at: now)
  }

  func judged(_ verdict: Subscriptions.Verdict, of slot: FeedSlot) {
    messages.judged(verdict, slot: slot.id, at: now)
  }

  /// Said, counted, and put to the account of what is proven.
  func found(_ findings: [SequenceGaps.Finding], of slot: FeedSlot) {
    for finding in findings {
      switch finding {
      case .followed(let stream): watch.proven(stream)
      case .notProvable(let stream, _): watch.notProven(stream)
      case .skipped:
        counters.update { $0.sequenceBreaks += 1 }
        FeedMetrics.shared.sequenceBreaks.increment()
      case .wentBack: break
      }
      messages.found(finding, slot: slot.id, at: now)
    }
  }

  func report(_ report: FeedSession.Report, of slot: FeedSlot) {
    if case .rotated = report { counters.update { $0.rotations += 1 } }
    messages.say(report, slot: slot.id, hasOther: slot.openConnections > 0, at: now)
  }

  func scheduleReview() {
    reviews = loop.scheduleTask(in: Self.reviewPause) {
      let now = self.now
      self.messages.found(self.watch.review(at: now), at: now, wall: self.environment.wallClock())
      let silent = Set(self.watch.silentStreams)
      if silent != self.silentStreams {
        self.silentStreams = silent
        self.connectionsChanged()
      }
      self.messages.review(at: now)
      self.scheduleReview()
    }
  }
}
