import Base
import WAL

/// How a log and its process stand, on one screen: the verdict first, then rates, the feed, the room on the volume,
/// gaps, dead letters, and each consumer. Pure.
struct WatchView {
  enum Tone {
    case plain, good, bad, dim
  }

  struct Line: Equatable {
    let text: String
    var tone = Tone.plain

    init(_ text: String, _ tone: Tone = .plain) {
      self.text = text
      self.tone = tone
    }
  }

  let report: StatusReport
  let history: WatchHistory
  let width: Int
  let height: Int

  private var status: LogStatus { report.status }

  /// The picture, at most `height` lines of at most `width` columns.
  var lines: [Line] {
    let all = verdict + [Line("")] + facts + [Line("")] + consumers
    let fitting = all.count <= height ? all : all.prefix(max(0, height - 1)) + [Line("…", .dim)]
    return fitting.map { Line(DisplayWidth.truncated($0.text, to: width), $0.tone) }
  }

  /// The same with colours.
  func text(hasColours: Bool) -> [String] {
    lines.map { line in
      let text = Text.oneLine(line.text, limit: .max)
      guard hasColours else { return text }
      return switch line.tone {
      case .plain: text
      case .good: "\u{1B}[1;32m\(text)\u{1B}[0m"
      case .bad: "\u{1B}[1;31m\(text)\u{1B}[0m"
      case .dim: "\u{1B}[2m\(text)\u{1B}[0m"
      }
    }
  }

  // MARK: The verdict

  private var verdict: [Line] {
    let time = UTCTime.readable(microseconds: status.readAt)
    let isHealthy = report.health.isHealthy
    let word = isHealthy ? "healthy" : "not healthy"
    let room = width - DisplayWidth.of(word) - DisplayWidth.of(time)
    let first = Line(
      word + (room >= 2 ? String(repeating: " ", count: room) + time : ""), isHealthy ? .good : .bad)
    return [first]
      + report.health.lines.dropFirst().flatMap {
        DisplayWidth.wrapped($0, to: width, indent: 4).map { Line($0) }
      }
  }

  // MARK: Facts

  private static let labelWidth = 8

  private var facts: [Line] {
    var lines = fact("log", "\(report.path), process \(status.writerPID.map { "\($0)" } ?? "none")")
    lines += rate
    lines += fact("ticks", "head \(Figures.grouped(status.head.rawValue)), the last one \(lastTick)")
    for row in report.feed.rows { lines += fact(row[0], row[1]) }
    lines += fact("disk", report.disk)
    lines += fact("gaps", report.gaps)
    lines += fact("letters", report.deadLetters ?? "none")
    return lines
  }

  private func fact(_ label: String, _ text: String) -> [Line] {
    let lines = DisplayWidth.wrapped(Text.oneLine(text, limit: .max), to: max(1, width - Self.labelWidth - 1))
    return lines.enumerated().map { place, line in
      Line(DisplayWidth.padded(place == 0 ? label : "", to: Self.labelWidth) + " " + line)
    }
  }

  private var rate: [Line] {
    guard let rate = history.rateIn else { return fact("in", "–") }
    let text = "\(Figures.rounded(rate))/s"
    let room = min(60, width - Self.labelWidth - 1 - Self.rateWidth)
    let picture = room >= 8 ? Sparkline.text(history.ratesIn, width: room) : ""
    return [
      Line(
        DisplayWidth.padded("in", to: Self.labelWidth) + " " + DisplayWidth.padded(text, to: Self.rateWidth)
          + picture)
    ]
  }

  private static let rateWidth = 12

  private var lastTick: String {
    guard let last = status.lastReceivedAt else { return "never" }
    let age = max(0, status.readAt.subtractingSaturated(last))
    return "\(Figures.duration(.microseconds(age))) ago"
  }

  // MARK: Consumers

  private struct Row {
    let name: String
    let out: String
    let behind: String
    let oldest: String
    let left: String
    let lags: [Double]
  }

  private var consumers: [Line] {
    guard !status.consumers.isEmpty else { return [Line("no consumer was ever enabled", .dim)] }
    let rows = status.consumers.map(row)
    let table = TextTable(
      .init("consumer"), .init("out", .right), .init("behind", .right), .init("oldest", .right),
      .init("caught up in", .right),
      rows: rows.map { [$0.name, $0.out, $0.behind, $0.oldest, $0.left] }
    ).lines()
    let widest = table.map { DisplayWidth.of($0) }.max() ?? 0
    guard widest <= width else { return rows.flatMap(sentence) }
    let room = min(60, width - widest - 2)
    guard room >= 8 else { return table.map { Line($0) } }
    return table.enumerated().map { place, line in
      guard place > 0 else { return Line(line, .dim) }
      return Line(
        DisplayWidth.padded(line, to: widest) + "  "
          + Sparkline.text(rows[place - 1].lags, width: room, full: history.usualLag))
    }
  }

  private func row(_ consumer: LogStatus.Consumer) -> Row {
    Row(
      name: consumer.name.rawValue + (consumer.isEnabled ? "" : " (off)"),
      out: history.rateOut(consumer.name).map { "\(Figures.rounded($0))/s" } ?? "–",
      behind: Figures.grouped(consumer.lag),
      oldest: consumer.lag == 0 || !consumer.isEnabled
        ? "–"
        : Figures.duration(.milliseconds(Int64(min(max(consumer.oldestUnshippedSeconds, 0), 1e12) * 1_000))),
      left: history.timeLeft(consumer).map { Figures.duration($0) } ?? "–",
      lags: history.lags(consumer.name))
  }

  /// For a terminal that is too narrow for the table.
  private func sentence(_ row: Row) -> [Line] {
    let words =
      "\(row.name): out \(row.out), \(row.behind) behind, oldest \(row.oldest), caught up in \(row.left)"
    let room = min(60, width - 4)
    let picture =
      room >= 8 ? [Line("    " + Sparkline.text(row.lags, width: room, full: history.usualLag))] : []
    return DisplayWidth.wrapped(words, to: width, indent: 4).map { Line($0) } + picture
  }
}
