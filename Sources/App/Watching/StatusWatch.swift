import Base
import Glibc
import UnixSignals
import WAL

/// Shows each second how a log and its process stand, until a signal: on a terminal as a picture that stands still,
/// elsewhere block after block. It waits for nobody who does not look.
struct StatusWatch: Sendable {
  let path: String
  let observer: FeedObserver
  /// A line of JSON each time, which is data: it waits for its reader.
  let isJSON: Bool

  private static let pause = Duration.seconds(1)

  func run() async throws {
    let console = Console(descriptor: STDOUT_FILENO)
    let isPicture = console.isTerminal && !isJSON
    if isPicture { StandardOutput.shared.atEnd(Array(Screen.leaving.utf8)) }
    let ends: [UnixSignal] = isPicture ? [.sigint, .sigterm, .sigquit, .sighup] : [.sigint, .sigterm]
    let sizes = Watch(0)
    let watching: @Sendable () async throws -> Void = {
      try await withThrowingTaskGroup(of: Void.self) { group in
        if isPicture {
          group.addTask {
            for await _ in await UnixSignalsSequence(trapping: .sigwinch) { sizes.update { $0 += 1 } }
            try await Latch<Void>().wait()
          }
        }
        group.addTask { try await show(console, isPicture: isPicture, sizes) }
        defer { group.cancelAll() }
        try await group.next()
      }
    }
    try await Signals.cancelling(
      by: await UnixSignalsSequence(trapping: ends),
      endAtOnce: { ProcessEnd.now(.interrupted, within: ProcessEnd.shortPatience) }, endSoon: {}, watching)
  }

  private func show(_ console: Console, isPicture: Bool, _ sizes: Watch<Int>) async throws {
    var history = WatchHistory()
    var screen = Screen()
    var last: LogStatus?
    while true {
      let report = try await StatusReport.look(path, observer, since: last)
      last = report.status
      history.add(report.status, at: MonotonicClock.now())
      guard isPicture else {
        if isJSON {
          try await StandardOutput.shared.write(Array((report.document.text + "\n").utf8))
        } else {
          let lines = report.lines(width: nil) + [""]
          try StandardOutput.shared.offer(lines.map { Text.oneLine($0, limit: .max) + "\n" }.joined())
        }
        try await ContinuousClock().sleep(for: Self.pause)
        continue
      }
      let end = ContinuousClock.now + Self.pause
      while ContinuousClock.now < end {
        let seen = sizes.value
        let (width, height) = (console.width, console.height)
        let view = WatchView(report: report, history: history, width: width, height: height)
        try StandardOutput.shared.offer(
          screen.picture(view.text(hasColours: console.style == .coloured), width: width, height: height))
        try await Self.wait(until: end, orBeyond: seen, sizes)
      }
    }
  }

  /// Waits for the next look, or for another size of the terminal.
  private static func wait(
    until end: ContinuousClock.Instant, orBeyond seen: Int, _ sizes: Watch<Int>
  ) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await ContinuousClock().sleep(until: end) }
      group.addTask { _ = try await sizes.wait { $0 > seen } }
      defer { group.cancelAll() }
      try await group.next()
    }
  }
}

extension StatusReport {
  /// One look at the log, and at the process that has it open.
  static func look(
    _ path: String, _ observer: FeedObserver, since last: LogStatus? = nil
  ) async throws -> StatusReport {
    let reader = try await LogReader(path: path)
    let status: LogStatus
    do {
      status = try await reader.status()
    } catch {
      try await reader.close()
      throw error
    }
    try await reader.close()
    let feed = await observer.look(writerPID: status.writerPID)
    var report = StatusReport(status, path: path, feed: feed, since: last)
    report.volume = Volume.of(path)
    return report
  }
}
