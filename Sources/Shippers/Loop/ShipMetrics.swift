import Base
import CoreMetrics
import WAL

/// The metrics that one consumer's loop moves; made once with it.
struct ShipMetrics: Sendable {
  private let ticks: Counter
  private let objects = Counter(label: "ship_objects_total")
  private let bytes: Counter
  private let expired = Counter(label: "ship_expired_ticks_total")
  private let delivery: Recorder
  private let lastSuccess: Meter
  private let inFlight: Meter
  private let limit: Meter

  init(_ consumer: ConsumerName) {
    let label = [("consumer", consumer.rawValue)]
    ticks = Counter(label: "ship_ticks_total", dimensions: label)
    bytes = Counter(label: "ship_bytes_total", dimensions: label)
    delivery = Recorder(label: "ship_delivery_seconds", dimensions: label, aggregate: true)
    lastSuccess = Meter(label: "ship_last_success_timestamp_seconds", dimensions: label)
    inFlight = Meter(label: "ship_in_flight", dimensions: label)
    limit = Meter(label: "ship_concurrency_limit", dimensions: label)
  }

  /// - Parameters:
  ///   - started: deliveries without a confirmation.
  ///   - limit: the number that may be.
  func underWay(_ started: Int, of limit: Int) {
    inFlight.set(started)
    self.limit.set(limit)
  }

  /// A delivery is confirmed.
  func confirmed(_ confirmation: Confirmation) {
    let now = WallClock.now()
    lastSuccess.set(Double(now) / 1e6)
    guard let sent = confirmation.sent else { return }
    bytes.increment(by: sent.bytes)
    if sent.isObject { objects.increment() }
    delivery.record(max(0, Double(now.subtractingSaturated(sent.receivedAt)) / 1e6))
  }

  /// The offset has been moved.
  func committed(ticks: Int, expired: Int) {
    self.ticks.increment(by: ticks)
    self.expired.increment(by: expired)
  }
}
