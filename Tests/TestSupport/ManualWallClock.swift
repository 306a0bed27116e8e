import Synchronization

/// A time of day that moves when the test says so.
public final class ManualWallClock: Sendable {
  private let microseconds: Mutex<Int64>

  /// - Parameter microseconds: since 1970, UTC.
  public init(_ microseconds: Int64) {
    self.microseconds = Mutex(microseconds)
  }

  /// Microseconds since 1970, UTC.
  public var now: Int64 { microseconds.withLock { $0 } }

  public func set(_ value: Int64) { microseconds.withLock { $0 = value } }
}
