/// Lets one of many equal log lines through in each period and counts the rest.
package struct LogThrottle: Sendable {
  let period: Duration
  private var last: Duration?
  private var held = 0

  package init(period: Duration) { self.period = period }

  /// The number of lines held back since the last one, if this one is to be written; nil if it is held back.
  package mutating func pass(at now: Duration) -> Int? {
    if let last, now - last < period {
      held += 1
      return nil
    }
    defer { held = 0 }
    last = now
    return held
  }
}
