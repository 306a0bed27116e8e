import ArgumentParser
import Base
import Shippers
import Synchronization
import WAL

/// `tickwal tap`: ticks as they come into the log.
struct TapCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tap", abstract: "Show ticks as they come into the log, a row each, until Ctrl-C.",
    discussion: """
      Reads the log beside a running `run`, which it never holds up, and waits for ticks where there is none. Begins \
      with the next tick, or with an older one that is still kept. Nothing is left out for a slow reader; what is \
      trimmed before it has come so far is said on stderr, and it goes on with the oldest tick kept.
      """)

  @Option(
    help: ArgumentHelp(
      "Only these streams; wildcards as for files; may be given again", valueName: "btcusdt@*"))
  var stream: [String] = []
  @Option(
    help: ArgumentHelp(
      "Rows as in objects, or events as received",
      valueName: TickForm.allCases.map(\.rawValue).joined(separator: "|")))
  var format: String?
  @Option(help: ArgumentHelp("Begin with this offset", valueName: "n")) var fromOffset: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Begin with the first tick received at or after this time (UTC)",
      valueName: "02:10|2026-11-22T02:10Z|-30m"))
  var since: String?
  @Option(help: ArgumentHelp("End after so many ticks", valueName: "n")) var count: String?
  @OptionGroup var flags: ReadFlags

  /// Between two lines on stderr of ticks that cannot be shown.
  private static let troublePause = Duration.seconds(10)

  func run() async throws {
    let arguments = try checkedArguments()
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    try settings.log.path.checkReadable()
    let path = settings.log.path.absolute
    let streams = StreamPatterns(stream)
    try await Signals.cancelling {
      let reader = try await LogReader(path: path)
      do {
        let tap = Tap(reader: reader, form: arguments.form, streams: streams, count: arguments.count)
        let first = try await tap.start(at: try await Self.first(arguments.bounds, in: reader))
        let idle = TapIdle(path: TickLog.file(of: path), say: Self.say)
        let trouble = Mutex(LogThrottle(period: Self.troublePause))
        try await tap.follow(
          from: first, write: StandardOutput.shared.write,
          tell: { news in
            if let line = trouble.withLock({ Self.line(news, &$0) }) { Self.say(line) }
          }, idle: idle.wait)
        try await reader.close()
      } catch {
        try await reader.close()
        throw error
      }
    }
  }

  /// Times after the last tick are no mistake here: the next one is still to come.
  private static func first(_ bounds: RangeBounds, in reader: LogReader) async throws -> Offset? {
    do {
      return try await bounds.offsets(in: reader).first
    } catch let error as LogError where error.code == .notFound {
      return nil
    }
  }

  private static func say(_ line: String) { Console.standardError.writeLine("tickwal: \(line)") }

  /// - Returns: `nil` for what is summed up later.
  private static func line(_ news: Tap.News, _ throttle: inout LogThrottle) -> String? {
    switch news {
    case .trimmed(let range):
      return
        "offsets \(Figures.grouped(range.lowerBound)) to \(Figures.grouped(range.upperBound)) were trimmed before they were read: it goes on at "
        + "\(Figures.grouped(range.upperBound.next))"
    case .unreadable(let offset, let cause):
      guard let held = throttle.pass(at: MonotonicClock.now()) else { return nil }
      let more = held > 0 ? "; \(Figures.grouped(held)) before it, too" : ""
      return
        "offset \(Figures.grouped(offset)) cannot be shown and is left out: \(Text.oneLine(cause, limit: 400))\(more)"
    }
  }

  // MARK: Arguments

  private struct Checked: Sendable {
    let bounds: RangeBounds
    let form: TickForm
    let count: Int?
  }

  private func checkedArguments() throws(BadSettings) -> Checked {
    var problems: [BadSettings.Problem] = []
    var bounds: RangeBounds?
    do throws(BadSettings) {
      bounds = try RangeBounds(fromOffset: fromOffset, since: since)
    } catch {
      problems = error.problems
    }
    let form = format.map { TickForm(rawValue: $0) } ?? .row
    if form == nil, let format {
      problems.append(
        .init(
          name: "--format", value: Text.oneLine(format),
          allowed: Text.alternatives(TickForm.allCases.map(\.rawValue))))
    }
    let most = count.flatMap { DecimalDigits.parse($0, upTo: Int.max) }
    if let count, most ?? 0 < 1 {
      problems.append(
        .init(name: "--count", value: Text.oneLine(count), allowed: "a whole number, 1 or more"))
    }
    if let empty = stream.first(where: { $0.isEmpty }) {
      problems.append(.init(name: "--stream", value: empty, allowed: "a stream's name, with wildcards"))
    }
    guard problems.isEmpty, let bounds, let form else { throw BadSettings(problems: problems) }
    return Checked(bounds: bounds, form: form, count: most)
  }
}
