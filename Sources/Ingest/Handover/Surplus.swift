import WAL

/// The events that messages brought beyond what is taken of one message: they are missing, and that is a gap.
///
/// Its cause is `queue_full`, the one of the existing causes that says that this side could not take what the exchange
/// sent; unlike other gaps of that cause it has a detail.
struct Surplus: Equatable, Sendable {
  var events: Int
  /// The stream that delivered them, if it names itself and is the only one.
  var stream: String?

  init(events: Int, stream: String?) {
    self.events = events
    self.stream = stream
  }

  /// - Parameter stream: UTF-8, empty if that is not known.
  init(events: Int, stream: [UInt8]) {
    self.init(events: events, stream: stream.isEmpty ? nil : String(decoding: stream, as: UTF8.self))
  }

  func joined(to other: Surplus?) -> Surplus {
    guard let other else { return self }
    return Surplus(events: events + other.events, stream: stream == other.stream ? stream : nil)
  }

  /// The gap in which they are: the moment at which they came.
  ///
  /// - Parameters:
  ///   - time: microseconds UTC: when they were received.
  ///   - streams: those of the connection.
  func gap(at time: Int64, streams: [String]) -> GapChange {
    let named = stream.map { [$0] } ?? streams
    return .add(
      startedAt: time, endedAt: time + 1, cause: .queueFull, streams: named,
      detail: #"{"events":\#(events)}"#, OpenGaps())
  }
}
