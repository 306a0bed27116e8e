import Base

/// The time before which a server does not want to be asked again.
///
/// Reference: RFC 9110, section 10.2.3
enum RetryAfter: Equatable, Sendable {
  case seconds(Int)
  /// Seconds since 1970, UTC.
  case date(Int)

  /// Longer is not waited, whatever a server says: ticks are missed meanwhile.
  static let longest = Duration.seconds(3600)

  /// Nil for what is neither a number of seconds nor a date.
  init?(_ text: String) {
    if Text.isDigits(text[...]) {
      // So many digits that they are no number are a very long time.
      self = .seconds(DecimalDigits.parse(text) ?? .max)
    } else if let date = HTTPDate.epochSeconds(text.utf8) {
      self = .date(date)
    } else {
      return nil
    }
  }

  /// The wait from now on: at least zero, at most ``longest``.
  /// - Parameter now: microseconds UTC.
  func wait(at now: Int64) -> Duration {
    switch self {
    case .seconds(let seconds): min(.seconds(seconds), Self.longest)
    case .date(let date): min(max(.seconds(date) - .microseconds(now), .zero), Self.longest)
    }
  }
}
