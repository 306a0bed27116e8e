import Base

/// The messages to the service manager in the course of a process: a pure value that takes what happens and gives
/// the datagrams that are due.
///
/// Reference: sd_notify(3), systemd.service(5).
struct ServiceMessages: Sendable {
  private enum Phase {
    case starting, running, reloading, stopping
  }

  /// The time that a start or a stop gets on top with each message, so that one that goes on is never called hung.
  static let grace = Duration.seconds(30)
  private static let extensionPause = Duration.seconds(5)

  private var phase = Phase.starting
  /// Half of what the watchdog waits.
  private let watchdogPause: Duration?
  private var fedAt: Duration?
  private var extendedAt: Duration?

  /// - Parameter watchdog: the longest that it waits.
  init(watchdog: Duration? = nil) {
    watchdogPause = watchdog.map { $0 / 2 }
  }

  /// The time between two beats.
  var pause: Duration { min(.seconds(1), watchdogPause ?? .seconds(1)) }

  /// The work has begun.
  mutating func ready() -> String? {
    guard phase == .starting else { return nil }
    phase = .running
    return "READY=1"
  }

  /// - Parameter now: of the monotonic clock.
  mutating func reloading(at now: Duration) -> String? {
    guard phase == .running else { return nil }
    phase = .reloading
    return "RELOADING=1\nMONOTONIC_USEC=\(Int64(now / .microseconds(1)))"
  }

  mutating func reloaded() -> String? {
    guard phase == .reloading else { return nil }
    phase = .running
    return "READY=1"
  }

  mutating func stopping(at now: Duration) -> String? {
    guard phase != .stopping else { return nil }
    phase = .stopping
    extendedAt = now
    return "STOPPING=1\n\(Self.extending)"
  }

  /// The words that `systemctl status` shows.
  func status(_ text: String) -> String {
    "STATUS=" + Text.oneLine(phase == .stopping ? "stopping: \(text)" : text, limit: 500)
  }

  /// The messages that are due at a time.
  ///
  /// - Parameter isAlive: asked when the watchdog is to be told; one that is not alive is asked again at the next
  ///   beat.
  mutating func beat(at now: Duration, isAlive: () -> Bool) -> [String] {
    var due: [String] = []
    if phase == .starting || phase == .stopping, isDue(extendedAt, Self.extensionPause, now) {
      extendedAt = now
      due.append(Self.extending)
    }
    if let watchdogPause, phase != .starting, isDue(fedAt, watchdogPause, now), isAlive() {
      fedAt = now
      due.append("WATCHDOG=1")
    }
    return due
  }

  private func isDue(_ last: Duration?, _ pause: Duration, _ now: Duration) -> Bool {
    last.map { now - $0 >= pause } ?? true
  }

  private static var extending: String { "EXTEND_TIMEOUT_USEC=\(Int64(grace / .microseconds(1)))" }
}
