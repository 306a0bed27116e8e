import ArgumentParser
import Base
import Shippers

/// The settings for the end at SIGTERM and SIGINT.
struct StopSettings: Sendable, Equatable {
  /// The longest wait for requests in flight, and for draining.
  let timeout: Duration
  /// Ship everything before the end, a short last batch too.
  let drain: Bool

  static let shutdownTimeout = Setting(
    "SHUTDOWN_TIMEOUT", default: "5", unit: "s", .seconds(atMost: 86_400),
    "Longest wait for requests in flight when stopping")
  static let drainOnStop = Setting(
    "DRAIN_ON_STOP", default: "0", .zeroOrOne, "When stopping, ship everything within SHUTDOWN_TIMEOUT first")

  struct Flags: ParsableArguments, Sendable {
    @Option(StopSettings.shutdownTimeout) var shutdownTimeout: String?
    @Option(StopSettings.drainOnStop) var drainOnStop: String?
  }

  init(_ reader: inout SettingReader) {
    timeout = reader.value(Self.shutdownTimeout, \Flags.shutdownTimeout)
    drain = reader.value(Self.drainOnStop, \Flags.drainOnStop)
  }
}
