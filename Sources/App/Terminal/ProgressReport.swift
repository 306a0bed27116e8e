import Base

/// The progress of something, as one line. Pure: the same report always looks the same.
struct ProgressReport: Sendable, Equatable {
  /// The work, as in `import`.
  let label: String
  /// Done and total in one unit (bytes, ticks); total is nil where it is not known.
  let done: Int
  var total: Int?
  /// The time since it began.
  let elapsed: Duration
  /// The rest of the line, as in `123,456 ticks`.
  var detail: String = ""

  /// Between 0 and 1; nil without a total.
  var fraction: Double? {
    guard let total else { return nil }
    return total <= 0 ? 1 : min(1, max(0, Double(done) / Double(total)))
  }

  /// The time left at the average speed so far; nil before anything can be said.
  var remaining: Duration? {
    guard let fraction, fraction > 0, elapsed >= .seconds(1) else { return nil }
    return elapsed * ((1 - fraction) / fraction)
  }

  /// For a terminal: a bar as wide as there is room for, never wider than the line.
  func line(width: Int) -> String {
    var after = detail
    if let remaining, fraction != 1 {
      after += (after.isEmpty ? "" : "  ") + "\(Figures.duration(remaining)) left"
    }
    guard let fraction else {
      return DisplayWidth.truncated([label, after].filter { !$0.isEmpty }.joined(separator: "  "), to: width)
    }
    let percent = "\(Int(fraction * 100))%"
    let head = label + "  "
    let tail = " " + DisplayWidth.padded(percent, to: 4, right: true) + (after.isEmpty ? "" : "  " + after)
    let room = min(40, width - DisplayWidth.of(head) - DisplayWidth.of(tail))
    guard room >= 10 else {
      // The time left is what is waited for: the rest is cut before it.
      let left = fraction == 1 ? nil : remaining.map { "\(Figures.duration($0)) left" }
      let words = [label, percent, left, detail.isEmpty ? nil : detail].compactMap { $0 }
      return DisplayWidth.truncated(words.joined(separator: "  "), to: width)
    }
    let filled = Int(fraction * Double(room))
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: room - filled)
    return head + bar + tail
  }

  /// For a file or a pipe: words only.
  var plainLine: String {
    let percent = fraction.map { "\(Int($0 * 100))%" }
    let left = fraction == 1 ? nil : remaining.map { "\(Figures.duration($0)) left" }
    return "\(label): "
      + [percent, detail.isEmpty ? nil : detail, left].compactMap { $0 }.joined(separator: ", ")
  }
}

/// The decision when the next report is due: often enough to look alive on a terminal, seldom enough for a file.
struct ProgressPace: Sendable {
  private let interval: Duration
  private var last: Duration?

  init(isTerminal: Bool) { interval = isTerminal ? .milliseconds(100) : .seconds(10) }

  /// - Parameter elapsed: time since the start.
  mutating func isDue(at elapsed: Duration) -> Bool {
    if let last, elapsed - last < interval { return false }
    last = elapsed
    return true
  }
}
