import Base
import Testing

@testable import WAL
@testable import tickwal

@Suite struct WatchViewTests {
  private static let now: Int64 = 1_795_238_000_000_000

  private func status(head: Int64, next: Int64, name: String = "dynamodb", gaps: [Gap] = []) -> LogStatus {
    let consumers = [name, "s3"].map { name in
      LogStatus.Consumer(
        name: ConsumerName(rawValue: name), next: Offset(rawValue: name == "s3" ? head + 1 : next),
        lag: name == "s3" ? 0 : Int(head + 1 - next), oldestUnshippedSeconds: name == "s3" ? 0 : 3_600,
        destination: "{}", isEnabled: true, expired: 0, deadLetters: name == "s3" ? 0 : 3, skipped: 0,
        openBatches: 0, hold: nil)
    }
    return LogStatus(
      logID: LogID(rawValue: "0123456789abcdef"), head: Offset(rawValue: head), oldest: .first,
      lastReceivedAt: Self.now - 200_000, consumers: consumers, openGaps: gaps, endedGaps: 2,
      recentGaps: [.closed: 2], completeness: nil, readAt: Self.now, rejectedInput: 0, fileBytes: 1,
      walBytes: 0,
      writerPID: 42, feed: LogStatus.Feed(streams: 2))
  }

  /// Looks a second apart: so many ticks come in, and so many are shipped.
  private func history(looks: Int, in rate: Int64 = 1_000, out: Int64 = 900) -> WatchHistory {
    var history = WatchHistory()
    for look in 0..<looks {
      history.add(
        status(head: 10_000_000 + Int64(look) * rate, next: 9_000_000 + Int64(look) * out),
        at: .seconds(look))
    }
    return history
  }

  private func view(
    width: Int, height: Int = 50, looks: Int = 100, isWell: Bool = false, name: String = "dynamodb"
  ) -> WatchView {
    var feed = ControlAnswer.Feed(
      state: .running, connected: true, since: Self.now - 60_000_000, connections: 1, plannedConnections: 1,
      streams: 2, granted: 2)
    feed.process = ControlAnswer.Feed.Process(
      disk: "normal", maximumAge: [name: isWell ? 1e6 : 60],
      troubles: isWell
        ? []
        : [
          .init(
            consumer: name, since: Self.now - 120_000_000, failures: 4,
            error: "ResourceNotFoundException (HTTP 400)")
        ])
    feed.process?.secondsUntilFull = 273_600
    var report = StatusReport(
      status(head: 10_099_000, next: 9_089_100, name: name), path: "/data/ticks.db", feed: .told(feed))
    report.volume = Volume(available: 31 << 30, size: 100 << 30)
    return WatchView(report: report, history: history(looks: looks), width: width, height: height)
  }

  private func texts(_ view: WatchView) -> [String] { view.lines.map(\.text) }

  @Test func `a screen has the verdict first, then rates, disk, gaps and each consumer`() {
    let lines = texts(view(width: 100, isWell: true))
    #expect(lines[0].hasPrefix("healthy ") && lines[0].hasSuffix(" UTC") && DisplayWidth.of(lines[0]) == 100)
    #expect(
      lines.contains("in       1,000/s     " + String(repeating: "█", count: 60)))
    #expect(lines.contains("ticks    head 10,099,000, the last one 200 ms ago"))
    #expect(lines.contains("disk     31 GiB of 100 GiB free (31 %), normal; as it goes full in 3 d 04 h"))
    #expect(lines.contains { $0.hasPrefix("gaps     2 ended, 0 open; last 24 h: closed 2") })
    #expect(lines.contains { $0.hasPrefix("letters  3 of dynamodb") })
    #expect(lines.contains { $0.hasPrefix("dynamodb    900/s  1,009,901     1 h             –  █") })
    #expect(lines.contains { $0.hasPrefix("s3        1,000/s          0       –             –  ▁") })
  }

  @Test func `what is not well comes first, in red`() {
    let lines = view(width: 100).lines
    #expect(lines[0].text.hasPrefix("not healthy ") && lines[0].tone == .bad)
    #expect(lines[1].text.hasPrefix("  dynamodb for 2 min: deliveries fail, 4 times by now"))
    #expect(view(width: 100).text(hasColours: true)[0].hasPrefix("\u{1B}[1;31mnot healthy "))
    #expect(view(width: 100).text(hasColours: false) == lines.map(\.text))
  }

  @Test(arguments: [30, 40, 60, 79, 80, 81, 100, 132, 250]) func `no line is too long and no word broken`(
    width: Int
  ) {
    func words(_ view: WatchView) -> Set<Substring> {
      // Pictures are as long as there is room for.
      Set(
        texts(view).flatMap { $0.split(separator: " ") }.filter { !$0.allSatisfy { "▁▂▃▄▅▆▇█".contains($0) } }
      )
    }
    let known = words(view(width: 1_000)).union(words(view(width: 40))).union(["…"])
    for name in ["dynamodb", "local-dynamodb"] {
      for isWell in [true, false] {
        let view = view(width: width, isWell: isWell, name: name)
        #expect(texts(view).allSatisfy { DisplayWidth.of($0) <= width })
        guard name == "dynamodb", !isWell else { continue }
        let strange = words(view).subtracting(known)
        #expect(strange.isEmpty)
      }
    }
    // Of the narrow one, too: its words are those of the sentences.
    #expect(!texts(view(width: 40)).contains { $0.hasSuffix("…") })
  }

  @Test(arguments: [1, 2, 3, 10, 24]) func `a low terminal has the beginning`(height: Int) {
    let lines = texts(view(width: 40, height: height))
    #expect(lines.count <= height)
    if height > 1 { #expect(lines[0].hasPrefix("not healthy")) }
    if height < 20 { #expect(lines.last == "…") }
  }

  @Test func `before there are two looks nothing is said of rates`() {
    #expect(texts(view(width: 80, looks: 1)).contains("in       –"))
    #expect(history(looks: 1).rateIn == nil && history(looks: 0).rateIn == nil)
  }

  @Test func `rates are those of the last seconds, and the time left follows from them`() {
    let history = history(looks: 100, in: 100, out: 300)
    #expect(history.rateIn == 100)
    #expect(history.rateOut(ConsumerName(rawValue: "dynamodb")) == 300)
    #expect(history.rateOut(ConsumerName(rawValue: "nobody")) == nil)
    let consumer = status(head: 10_000, next: 8_001).consumers[0]
    #expect(history.timeLeft(consumer) == .seconds(10))
    #expect(self.history(looks: 100, in: 100, out: 100).timeLeft(consumer) == nil)
    #expect(history.timeLeft(status(head: 10_000, next: 9_001).consumers[0]) == nil)
    #expect(self.history(looks: 1_000).ratesIn.count == WatchHistory.kept - 1)
  }

  @Test(
    arguments: [
      ([], ""), ([0, 0], "▁▁"), ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"), ([.nan, -5, .infinity, 1], "▁▁▁█"),
      ([9, 9, 1, 7], "▂█"),
    ] as [([Double], String)])
  func `bars are as high as the greatest allows`(values: [Double], text: String) {
    #expect(Sparkline.text(values, width: values.count == 4 && values[0] == 9 ? 2 : 8) == text)
  }

  @Test func `a small value is a small bar where more would be usual`() {
    #expect(Sparkline.text([1, 2], width: 8, full: 100) == "▁▁")
    #expect(Sparkline.text([1], width: 0, full: 100) == "")
  }

  @Test func `a screen is entered once, cleared for another size, and left as it was`() {
    var screen = Screen()
    let first = screen.picture(["a", "b"], width: 80, height: 24)
    #expect(first == "\u{1B}[?1049h\u{1B}[?25l\u{1B}[H\u{1B}[2Ja\u{1B}[K\nb\u{1B}[K\u{1B}[J")
    #expect(screen.picture(["c"], width: 80, height: 24) == "\u{1B}[Hc\u{1B}[K\u{1B}[J")
    #expect(screen.picture(["c"], width: 40, height: 24) == "\u{1B}[H\u{1B}[2Jc\u{1B}[K\u{1B}[J")
    #expect(Screen.leaving.contains("\u{1B}[?1049l") && Screen.leaving.contains("\u{1B}[?25h"))
  }

  @Test func `the forecast follows the line of the last hour, and says nothing too early`() {
    var forecast = SpaceForecast()
    #expect(forecast.isDue(at: .zero) && forecast.secondsUntilFull == nil)
    for minute in 0..<9 { forecast.add(available: 1_000_000 - minute * 6_000, at: .seconds(minute * 60)) }
    #expect(forecast.secondsUntilFull == nil)
    for minute in 9..<200 { forecast.add(available: 2_000_000 - minute * 6_000, at: .seconds(minute * 60)) }
    let left = (forecast.secondsUntilFull ?? 0).rounded()
    #expect(left == Double(2_000_000 - 199 * 6_000) / 100)
    #expect(!forecast.isDue(at: .seconds(199 * 60 + 59)) && forecast.isDue(at: .seconds(200 * 60)))
    for minute in 200..<300 { forecast.add(available: 5_000 + minute, at: .seconds(minute * 60)) }
    #expect(forecast.secondsUntilFull == nil)
  }

  @Test(arguments: [
    (#"{"endpoint":"https://s3.ap-southeast-1.amazonaws.com","bucket":"b","prefix":"p/q"}"#, "s3://b/p/q"),
    (#"{"endpoint":"https://s3.ap-southeast-1.amazonaws.com","bucket":"b","prefix":""}"#, "s3://b"),
    (#"{"endpoint":"http://127.0.0.1:9000","bucket":"b","prefix":"p"}"#, "s3://b/p at http://127.0.0.1:9000"),
    (#"{"region":"ap-southeast-1","table":"t"}"#, "table t in ap-southeast-1"),
    (#"{"folder":"/data/out"}"#, "/data/out"), (#"{"x":1}"#, #"{"x":1}"#), ("no JSON", "no JSON"),
  ])
  func `a destination reads as people write it`(address: String, text: String) {
    #expect(Destinations.text(ofAddress: address) == text)
  }
}
