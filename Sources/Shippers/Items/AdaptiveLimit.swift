/// The number of requests that may be in flight: halved when the table throttles, raised by one for each full
/// round of successes. A pure value.
struct AdaptiveLimit {
  let maximum: Int
  private(set) var value: Int
  private var successes = 0
  /// Answers to requests that were in flight when the limit was halved tell nothing new.
  private var oldAnswers = 0

  init(maximum: Int) {
    self.maximum = maximum
    value = maximum
  }

  mutating func succeeded() {
    guard oldAnswers == 0 else {
      oldAnswers -= 1
      return
    }
    guard value < maximum else { return }
    successes += 1
    guard successes >= value else { return }
    successes = 0
    value += 1
  }

  mutating func throttled() {
    guard oldAnswers == 0 else {
      oldAnswers -= 1
      return
    }
    oldAnswers = value - 1
    successes = 0
    value = max(1, value / 2)
  }
}
