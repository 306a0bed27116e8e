import Base

/// The time at which an event happened, as its `E` says.
package struct EventTime: Equatable, Sendable {
  /// Microseconds since 1970, UTC; within ``Timestamp/representable``.
  package let microseconds: Int64

  /// Milliseconds since 1970, UTC, rounded down.
  package var milliseconds: Int64 { Timestamp.milliseconds(microseconds: microseconds) }

  private static let firstMillisecond = Timestamp.representable.lowerBound / 1_000
  private static let endOfMilliseconds = Timestamp.representable.upperBound / 1_000

  /// Takes a number of milliseconds, or of microseconds where milliseconds would be after the year 9999:
  /// events do not say their unit, the connection's URL does (`timeUnit=MICROSECOND`). As microseconds such a
  /// number is in 1978 or later.
  ///
  /// - Returns: nil for a time that a year of four digits cannot say in either unit.
  package init?(_ value: Int64) {
    guard value >= Self.firstMillisecond, value < Timestamp.representable.upperBound else { return nil }
    microseconds = value < Self.endOfMilliseconds ? value * 1_000 : value
  }
}
