import Base

/// The free space of the last hour, and the time that it lasts if it goes on like that: a pure value.
struct SpaceForecast {
  /// Between two measurements.
  static let pause = Duration.seconds(60)
  private static let kept = 60
  /// Fewer say nothing: trimming and checkpoints make steps.
  private static let fewest = 10

  private var samples: [(seconds: Double, bytes: Double)] = []

  /// Whether it is time for another measurement.
  ///
  /// - Parameter time: on the monotonic clock.
  func isDue(at time: Duration) -> Bool {
    samples.last.map { time / .seconds(1) - $0.seconds >= Self.pause / .seconds(1) } ?? true
  }

  mutating func add(available: Int, at time: Duration) {
    samples.append((time / .seconds(1), Double(available)))
    if samples.count > Self.kept { samples.removeFirst(samples.count - Self.kept) }
  }

  /// Seconds from the last measurement until nothing is free, by the line that fits best; nil if it does not get
  /// less, and as long as that cannot be told.
  var secondsUntilFull: Double? {
    guard samples.count >= Self.fewest, let last = samples.last else { return nil }
    let count = Double(samples.count)
    let (meanTime, meanBytes) = samples.reduce((0.0, 0.0)) {
      ($0.0 + $1.seconds / count, $0.1 + $1.bytes / count)
    }
    let (product, square) = samples.reduce((0.0, 0.0)) { sum, sample in
      let time = sample.seconds - meanTime
      return (sum.0 + time * (sample.bytes - meanBytes), sum.1 + time * time)
    }
    guard square > 0, product < 0 else { return nil }
    return last.bytes / -(product / square)
  }
}
