import Base
import WAL

/// The log's offsets at the looks of the last minutes, for rates and pictures: a pure value.
struct WatchHistory {
  private struct Sample {
    /// On the monotonic clock.
    let time: Duration
    let head: Int64
    /// By consumer.
    let next: [ConsumerName: Int64]
    let lag: [ConsumerName: Int]
  }

  /// The looks that are kept.
  static let kept = 240
  /// The time over which a rate is taken.
  static let window = Duration.seconds(5)

  private var samples: [Sample] = []

  mutating func add(_ status: LogStatus, at time: Duration) {
    samples.append(
      Sample(
        time: time, head: status.head.rawValue,
        next: Dictionary(uniqueKeysWithValues: status.consumers.map { ($0.name, $0.next.rawValue) }),
        lag: Dictionary(uniqueKeysWithValues: status.consumers.map { ($0.name, $0.lag) })))
    if samples.count > Self.kept { samples.removeFirst(samples.count - Self.kept) }
  }

  /// Ticks a second that come in; nil before there are two looks.
  var rateIn: Double? { rate { $0.head } }

  /// Ticks a second that a consumer ships; below 0 after it was moved back.
  func rateOut(_ consumer: ConsumerName) -> Double? { rate { $0.next[consumer] } }

  /// What comes in within this time is no backlog.
  static let usualSeconds = 10.0

  /// The backlog that is nothing to look at.
  var usualLag: Double { (rateIn ?? 0) * Self.usualSeconds }

  /// The time until a consumer has caught up; nil if it does not, or has.
  func timeLeft(_ consumer: LogStatus.Consumer) -> Duration? {
    guard let rateIn, let out = rateOut(consumer.name), Double(consumer.lag) > usualLag, out - rateIn >= 1
    else { return nil }
    return .seconds(min(Double(consumer.lag) / (out - rateIn), 1e9))
  }

  /// Ticks that came in from each look to the next one, a second.
  var ratesIn: [Double] {
    zip(samples, samples.dropFirst()).map { Self.perSecond($1.head.subtractingSaturated($0.head), $0, $1) }
  }

  /// The backlogs of a consumer.
  func lags(_ consumer: ConsumerName) -> [Double] { samples.map { Double($0.lag[consumer] ?? 0) } }

  private func rate(_ offset: (Sample) -> Int64?) -> Double? {
    guard let last = samples.last else { return nil }
    let first = samples.first { last.time - $0.time <= Self.window }
    guard let first, first.time < last.time, let from = offset(first), let to = offset(last) else {
      return nil
    }
    return Self.perSecond(to.subtractingSaturated(from), first, last)
  }

  private static func perSecond(_ count: Int64, _ first: Sample, _ last: Sample) -> Double {
    let seconds = (last.time - first.time) / .seconds(1)
    return seconds > 0 ? Double(count) / seconds : 0
  }
}
