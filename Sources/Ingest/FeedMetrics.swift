import CoreMetrics

/// The metrics that the feed moves; made once, moved on its event loop.
struct FeedMetrics: Sendable {
  static let shared = FeedMetrics()

  /// The end of an attempt to connect.
  enum ConnectResult: String, CaseIterable { case opened, failed }

  let messages = Counter(label: "feed_messages_total")
  let receivedBytes = Counter(label: "feed_received_bytes_total")
  let duplicates = Counter(label: "feed_duplicates_dropped_total")
  let lateTicks = Counter(label: "feed_late_ticks_total")
  let sequenceBreaks = Counter(label: "feed_sequence_breaks_total")
  private let eventDelay = Recorder(label: "feed_event_delay_seconds", aggregate: true)
  private let connects = Dictionary(
    uniqueKeysWithValues: ConnectResult.allCases.map {
      ($0, Counter(label: "feed_connects_total", dimensions: [("result", $0.rawValue)]))
    })
  private let disconnects = Dictionary(
    uniqueKeysWithValues: DisconnectCause.allCases.map {
      ($0, Counter(label: "feed_disconnects_total", dimensions: [("cause", $0.rawValue)]))
    })

  func connected(_ result: ConnectResult) { connects[result]?.increment() }
  func disconnected(_ cause: DisconnectCause) { disconnects[cause]?.increment() }

  /// The ticks of one read. A clock that is behind the exchange's makes a delay of nothing.
  func received(_ intake: Intake) {
    messages.increment(by: intake.messages)
    for tick in intake.ticks.entries {
      guard let time = tick.eventTime else { continue }
      eventDelay.record(max(0, Double(tick.receivedAt) / 1e6 - Double(time) / 1e3))
    }
  }
}

/// The end of a connection that was open, as a label says it.
package enum DisconnectCause: String, CaseIterable, Sendable {
  /// The server has closed it, or the network.
  case closed
  /// Nothing came any more.
  case silent
  /// This side has closed it: another one has taken its place, or the program ends.
  case replaced
  /// The server broke the protocol.
  case protocolError = "protocol_error"

  init(_ code: FeedError.Code) {
    self =
      switch code {
      case .timedOut: .silent
      case .badFrame, .badText, .messageTooLarge, .badUpgrade: .protocolError
      default: .closed
      }
  }
}
