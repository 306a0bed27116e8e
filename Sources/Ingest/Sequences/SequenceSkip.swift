import WAL

/// A stretch of a stream's ids that was not delivered: those between two events, neither of which is part of it.
struct SequenceSkip: Equatable, Sendable {
  /// One of the events beside it.
  struct Neighbour: Equatable, Sendable {
    /// The last one of the event before; after the skip, the first id that is there again.
    var id: Int64
    /// Microseconds UTC.
    var receivedAt: Int64
    /// `E`, milliseconds UTC.
    var eventTime: Int64?
  }

  var stream: String
  var after: Neighbour
  var before: Neighbour

  /// Microseconds UTC: where the ticks would lie that are missing. One connection may have had the later event
  /// before another had the earlier one.
  var startedAt: Int64 { min(after.receivedAt, before.receivedAt) }
  /// At least a microsecond later: one read of a socket may have brought both.
  var endedAt: Int64 { max(after.receivedAt, before.receivedAt, startedAt + 1) }

  /// As `gaps.detail` has it.
  ///
  /// - Parameter count: the skips that one gap stands for; this is all of them, from the first to the last.
  func detail(count: Int) -> String {
    func text(_ time: Int64?) -> String { time.map(String.init) ?? "null" }
    return #"{"after":\#(after.id),"before":\#(before.id),"after_event_time":\#(text(after.eventTime)),"#
      + #""before_event_time":\#(text(before.eventTime)),"skips":\#(count)}"#
  }
}
