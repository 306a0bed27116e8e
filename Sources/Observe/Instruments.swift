import CoreMetrics
import Synchronization

/// One series that the program moves: the value behind a handle of swift-metrics. Moving one neither allocates nor
/// waits.
enum Instrument: Sendable {
  case counter(CounterCell)
  case gauge(GaugeCell)
  case histogram(HistogramCell)
}

/// A count that only grows.
final class CounterCell: CounterHandler {
  private let count = Atomic<Int64>(0)

  var value: Int64 { count.load(ordering: .relaxed) }

  func increment(by amount: Int64) { count.wrappingAdd(amount, ordering: .relaxed) }
  /// A counter of Prometheus starts anew with its process alone.
  func reset() {}
}

/// A value that is set.
final class GaugeCell: MeterHandler {
  private let bits = Atomic<UInt64>(0)

  var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
  func increment(by amount: Double) { bits.add(amount) }
  func decrement(by amount: Double) { bits.add(-amount) }
}

/// A distribution over buckets; a timer's durations are in seconds.
final class HistogramCell: RecorderHandler, TimerHandler {
  private final class Count: Sendable {
    let value = Atomic<Int64>(0)
  }

  /// A moment's values; each bucket's count is its own, not that of those below.
  struct Reading {
    let counts: [Int64]
    let sum: Double
  }

  let bounds: [Double]
  private let counts: [Count]
  private let sum = Atomic<UInt64>(0)

  init(bounds: [Double]) {
    self.bounds = bounds
    counts = (0...bounds.count).map { _ in Count() }
  }

  var reading: Reading {
    Reading(
      counts: counts.map { $0.value.load(ordering: .relaxed) },
      sum: Double(bitPattern: sum.load(ordering: .relaxed)))
  }

  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    // What is no number would make the sum one no more.
    guard value.isFinite else { return }
    var bucket = 0
    while bucket < bounds.count, value > bounds[bucket] { bucket += 1 }
    counts[bucket].value.wrappingAdd(1, ordering: .relaxed)
    sum.add(value)
  }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
}

extension Atomic where Value == UInt64 {
  /// Adds to a number that is kept as its bits.
  fileprivate func add(_ amount: Double) {
    var old = load(ordering: .relaxed)
    while true {
      let new = (Double(bitPattern: old) + amount).bitPattern
      let (exchanged, original) = weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
      if exchanged { return }
      old = original
    }
  }
}
