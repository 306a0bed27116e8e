import Base

/// The age of things numbered in order: now and then it is noted which number was the highest, and when.
///
/// Whatever a tick's own time says, one that is not above a mark is at least as old as the mark. So a clock that
/// was set, or a tick that says it comes from the future, changes nothing.
struct AgeMarks: Equatable {
  struct Mark: Equatable {
    let highest: Int64
    /// Microseconds of the log's own time, see ``LogClock``.
    let time: Int64
  }

  private(set) var marks: [Mark] = []

  /// Notes a highest number.
  mutating func note(highest: Int64, at time: Int64) {
    // The same number at an earlier time says more.
    guard highest > (marks.last?.highest ?? 0) else { return }
    marks.append(Mark(highest: highest, time: time))
  }

  /// The highest number that is at least so old.
  func highest(agedAtLeast age: Int64, at now: Int64) -> Int64? {
    marks.last { now.subtractingSaturated($0.time) >= age }?.highest
  }

  /// Drops the marks that a later one, old enough as well, says more than. What is left is bounded by how
  /// often marks are made within `age`.
  mutating func prune(age: Int64, at now: Int64) {
    guard let index = marks.lastIndex(where: { now.subtractingSaturated($0.time) >= age }) else { return }
    marks.removeFirst(index)
  }

  // MARK: As text

  /// Marks as `highest@time`, separated by spaces.
  var text: String { marks.map { "\($0.highest)@\($0.time)" }.joined(separator: " ") }

  /// - Parameter now: a mark must not be later, and both numbers must rise; else all are given up, and what
  ///   is there counts as new.
  init(text: String?, now: Int64) {
    for part in (text ?? "").split(separator: " ") {
      let numbers = part.split(separator: "@", omittingEmptySubsequences: false)
      guard numbers.count == 2, let highest = Int64(numbers[0]), let time = Int64(numbers[1]),
        highest > (marks.last?.highest ?? 0), time >= (marks.last?.time ?? 0), time <= now
      else {
        marks = []
        return
      }
      marks.append(Mark(highest: highest, time: time))
    }
  }
}
