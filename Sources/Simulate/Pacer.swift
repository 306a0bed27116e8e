import NIOCore

/// The pace of messages: how many are due at a moment, for a rate in messages per second.
///
/// Messages that could not be sent while clients were slow are caught up with for at most one second's worth:
/// a longer hold-up delays the rest instead of bursting.
struct Pacer: Sendable {
  private let perSecond: Double
  private var credit: Double = 0
  private var last: NIODeadline?

  /// A rate of 0 means: as fast as the clients take them.
  init(messagesPerSecond: Double) { perSecond = messagesPerSecond }

  var isUnlimited: Bool { perSecond <= 0 }

  /// How many messages may be sent now, at most `limit`. They count as sent.
  mutating func take(atMost limit: Int, at now: NIODeadline) -> Int {
    if isUnlimited { return limit }
    if let last {
      credit = min(credit + perSecond * Double((now - last).nanoseconds) / 1e9, max(perSecond, 1))
    } else {
      credit = 1
    }
    last = now
    let count = min(limit, Int(credit))
    credit -= Double(count)
    return count
  }

  /// Gives back what was taken and not sent.
  mutating func giveBack(_ count: Int) {
    if !isUnlimited { credit += Double(count) }
  }

  /// How long until the next message is due, at least a millisecond, so that fast rates go out in batches.
  var pause: TimeAmount {
    if isUnlimited { return .zero }
    let nanoseconds = max(0, 1 - credit) / perSecond * 1e9
    return max(.milliseconds(1), .nanoseconds(Int64(min(nanoseconds, 1e9))))
  }
}
