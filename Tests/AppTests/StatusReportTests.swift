import Foundation
import Testing

@testable import WAL
@testable import tickwal

@Suite struct StatusReportTests {
  /// 2026-11-21 05:13:20.123456 UTC.
  private static let someTime: Int64 = 1_795_238_000_123_456

  private func report(
    _ open: [Gap] = [], ended: Int = 0, recent: [Gap.Cause: Int] = [:], rejected: Int = 0,
    consumers: [LogStatus.Consumer] = [], completeness: Completeness? = nil,
    record: LogStatus.Feed = LogStatus.Feed(), feed: FeedView = .noProcess, writerPID: Int32? = nil
  ) -> StatusReport {
    StatusReport(
      LogStatus(
        logID: LogID(rawValue: "0123456789abcdef"), head: Offset(rawValue: 5), oldest: .first,
        lastReceivedAt: nil, consumers: consumers, openGaps: open, endedGaps: ended, recentGaps: recent,
        completeness: completeness, readAt: Self.someTime + 65_000_000, rejectedInput: rejected, fileBytes: 1,
        walBytes: 0, writerPID: writerPID, feed: record),
      path: "/t.db", feed: feed)
  }

  private func gap(_ id: Int64, _ cause: Gap.Cause = .closed, streams: Int = 1) -> Gap {
    Gap(
      id: Gap.ID(rawValue: id), startedAt: Self.someTime, endedAt: nil, cause: cause,
      streams: (1...streams).map { "s\($0)@trade" })
  }

  @Test func `a consumer that waits for the operator says why`() throws {
    let consumer = LogStatus.Consumer(
      name: ConsumerName(rawValue: "s3"), next: .first, lag: 5, oldestUnshippedSeconds: 1, destination: "{}",
      isEnabled: true, expired: 0, deadLetters: 0, skipped: 0, openBatches: 0,
      hold: Hold(since: Self.someTime, why: "the key is taken: key=a/b"))
    let report = report([gap(1)], consumers: [consumer])
    #expect(report.lines(width: nil).contains("s3 is held, for 1 min 05 s: the key is taken: key=a/b"))
    #expect(
      report.lines(width: 40).suffix(8).prefix(2) == [
        "s3 is held, for 1 min 05 s: the key is", "    taken: key=a/b",
      ])
    let document = try JSONSerialization.jsonObject(with: Data(report.document.text.utf8)) as? [String: Any]
    let held = (document?["consumers"] as? [[String: Any]])?.first?["held"] as? [String: Any]
    #expect(held?["since"] as? Int64 == Self.someTime)
    #expect(held?["why"] as? String == "the key is taken: key=a/b")
  }

  // MARK: The feed

  private func told(_ change: (inout ControlAnswer.Feed) -> Void = { _ in }) -> FeedView {
    var feed = ControlAnswer.Feed(
      state: .running, connected: true, since: Self.someTime, connections: 2, plannedConnections: 3,
      streams: 2_500, granted: 1_040)
    change(&feed)
    return .told(feed)
  }

  private func rows(_ feed: FeedView, _ record: LogStatus.Feed = LogStatus.Feed(streams: 300)) -> [String] {
    report(record: record, feed: feed, writerPID: 42).feed.rows.map { $0.joined(separator: ": ") }
  }

  @Test func `a log that was taken away is not called the one that is read`() throws {
    let feed = told { $0.logLost = "/t.db is gone" }
    #expect(
      report(feed: feed, writerPID: 42).lines(width: nil).contains {
        $0.contains("whose log this is not: /t.db is gone; it saves and ships what it has, and ends")
      })
    #expect(report(feed: feed).document.text.contains(#""log_lost":"/t.db is gone""#))
  }

  @Test func `a connected feed is told with its streams and attempts`() {
    #expect(
      rows(
        told {
          $0.silent = .init(count: 2, names: ["a@trade", "b@trade"])
          $0.refused = .init(count: 12, names: (1...10).map { "s\($0)@trade" })
          $0.nextAttemptAt = Self.someTime + 70_000_000
        }, LogStatus.Feed(streams: 300, recentAttempts: 7)) == [
          "feed: connected since 2026-11-21 05:13:20 UTC, for 1 min 05 s, 2 of 3 connections",
          "streams: 1,040 of 2,500 granted, 2 silent (a@trade, b@trade), "
            + "12 refused (s1@trade, s2@trade, s3@trade and 9 more)",
          "attempts: 7 to connect in the last 5 minutes; the next one in 5 s, at 2026-11-21 05:14:30 UTC",
        ])
    #expect(rows(told { $0.paused = true })[0].hasSuffix("; nothing is read while the log cannot take more"))
  }

  @Test func `a feed without a connection is never called connected`() {
    let lost = rows(
      told { ($0.connected, $0.granted, $0.connections) = (false, 0, 0) },
      LogStatus.Feed(streams: 300, recentAttempts: 1, heldUntil: Self.someTime + 70_000_000))
    #expect(
      lost == [
        "feed: not connected since 2026-11-21 05:13:20 UTC, for 1 min 05 s", "streams: 0 of 2,500 granted",
        "attempts: 1 to connect in the last 5 minutes; one is under way; "
          + "the exchange asks for a pause until 2026-11-21 05:14:30 UTC",
      ])
    func said(_ state: ControlAnswer.Feed.State) -> String {
      rows(.told(ControlAnswer.Feed(state: state)))[0]
    }
    #expect(said(.none) == "feed: none: process 42 only ships")
    #expect(said(.starting) == "feed: not connected: process 42 starts")
    #expect(said(.ended) == "feed: not connected: process 42 ends")
    #expect(said(.stuck) == "feed: unknown: the feed's loop in process 42 does not turn")
    #expect(
      rows(.noProcess) == [
        "feed: not connected: no run has the log open", "streams: 300 in the list of the feed that ran last",
        "attempts: 0 to connect in the last 5 minutes",
      ])
    #expect(rows(.noProcess, LogStatus.Feed()) == ["feed: not connected: no run has the log open"])
    #expect(
      rows(.notListening)[0].hasPrefix("feed: unknown: process 42 has the log open and does not listen"))
    #expect(
      rows(.noAnswer("no answer within 1 s"))[0]
        == "feed: unknown: process 42 has the log open, and does not tell: no answer within 1 s")
  }

  @Test func `at any width no word of the status is broken, and destinations stand whole`() {
    let address =
      #"{"endpoint":"https://s3.ap-southeast-1.amazonaws.com","bucket":"crypto-live-bucket","prefix":"p/q"}"#
    let consumer = LogStatus.Consumer(
      name: ConsumerName(rawValue: "s3"), next: .first, lag: 5, oldestUnshippedSeconds: 1,
      destination: address, isEnabled: true, expired: 0, deadLetters: 0, skipped: 0, openBatches: 0,
      hold: Hold(since: Self.someTime, why: "the key is taken: key=a/b"))
    let report = report([gap(1, streams: 5)], consumers: [consumer], feed: told(), writerPID: 42)
    func words(_ width: Int?) -> Set<Substring> {
      Set(report.lines(width: width).flatMap { $0.split(separator: " ") })
    }
    // Narrow tables become sentences, with commas and colons.
    let known = words(nil).union(["…"]).union(words(nil).flatMap { ["\($0),", "\($0):", "\($0)…"] })
    for width in 20...120 {
      #expect(words(width).subtracting(known).isEmpty, "\(width) columns")
      #expect(words(width).contains { $0.hasPrefix("s3://crypto-live-bucket/p/q") })
    }
    for width in 80...120 { #expect(report.lines(width: width).allSatisfy { DisplayWidth.of($0) <= width }) }
  }

  @Test func `rates say how long a backlog takes to be caught up`() {
    func said(lag: Int, out: Double) -> String? {
      let consumer = LogStatus.Consumer(
        name: ConsumerName(rawValue: "s3"), next: .first, lag: lag, oldestUnshippedSeconds: 1,
        destination: "{}",
        isEnabled: true, expired: 0, deadLetters: 0, skipped: 0, openBatches: 0, hold: nil)
      let feed = told { $0.process = .init(rates: .init(appended: 100, shipped: ["s3": out])) }
      return report(consumers: [consumer], feed: feed).lines(width: nil).first { $0.hasPrefix("rates") }
    }
    #expect(said(lag: 30_000, out: 400) == "rates       in 100/s, s3 400/s (caught up in 1 min 40 s)")
    #expect(said(lag: 30_000, out: 90) == "rates       in 100/s, s3 90/s")
    #expect(said(lag: 500, out: 400) == "rates       in 100/s, s3 400/s")
  }

  @Test func `the document ends with the feed, null where nothing is known`() throws {
    let text = report(
      record: LogStatus.Feed(streams: 300, recentAttempts: 2),
      feed: told { $0.refused = .init(count: 1, names: ["x@trade"]) }
    ).document.text
    #expect(
      text.hasSuffix(
        #""completeness":null,"rates":null,"disk":null,"volume":null,"seconds_until_full":null,"http":null,"#
          + #""feed":{"state":"running","connected":true,"since":1795238000123456,"#
          + #""connections":2,"planned_connections":3,"streams":2500,"granted":1040,"#
          + #""silent":{"count":0,"names":[]},"refused":{"count":1,"names":["x@trade"]},"paused":false,"#
          + #""last_tick_at":null,"attempts_last_5_minutes":2,"next_attempt_at":null,"held_until":null,"why":null,"log_lost":null,"shard":null}}"#
      ))
    for (view, state, connected) in [
      (FeedView.noProcess, "no_process", "false"), (.notListening, "not_listening", "null"),
      (.noAnswer("late"), "no_answer", "null"), (.told(ControlAnswer.Feed(state: .stuck)), "stuck", "null"),
      (.told(ControlAnswer.Feed(state: .starting)), "starting", "false"),
    ] {
      let text = report(record: LogStatus.Feed(streams: 300), feed: view).document.text
      #expect(
        text.contains(
          #""feed":{"state":"\#(state)","connected":\#(connected),"since":null,"connections":null,"#
            + #""planned_connections":null,"streams":300,"granted":null,"silent":null,"refused":null,"#))
    }
    #expect(
      report(feed: .noAnswer("late")).document.text.hasSuffix(#""why":"late","log_lost":null,"shard":null}}"#)
    )
  }

  @Test func `without gaps nothing is said of them`() {
    let lines = report().lines(width: nil)
    #expect(lines.contains { $0.hasPrefix("gaps") && $0.hasSuffix("  none") })
    #expect(!lines.contains { $0.contains("open gap") })
  }

  @Test func `what is proven is told by kind of stream, and what rests on connections alone`() throws {
    var depth = Completeness.Kind(name: "depth")
    depth.add(ticks: 1_200, provenTicks: 1_199, isProven: true)
    depth.add(ticks: 300, provenTicks: 0, isProven: false)
    let kinds = [depth, Completeness.Kind(name: "trade")]
    let report = report(completeness: Completeness(since: Self.someTime, at: Self.someTime + 7, kinds: kinds))
    #expect(
      report.lines(width: nil).contains {
        $0.hasPrefix("proven")
          && $0.hasSuffix(
            "  depth: 1 of 2 streams complete by the exchange's ids (1,199 ticks); 301 ticks by the connections alone, since 2026-11-21 05:13:20 UTC"
          )
      })
    #expect(!report.lines(width: nil).contains { $0.contains("trade:") })
    let document = try JSONSerialization.jsonObject(with: Data(report.document.text.utf8)) as? [String: Any]
    let all = (document?["completeness"] as? [String: Any])?["kinds"] as? [[String: Any]]
    #expect(all?.count == 2)
    #expect(all?.first?["proven_ticks"] as? Int == 1_199 && all?.first?["ticks"] as? Int == 1_500)
  }

  @Test func `a destination is told in words`() {
    let consumer = LogStatus.Consumer(
      name: ConsumerName(rawValue: "s3"), next: .first, lag: 0, oldestUnshippedSeconds: 0,
      destination: #"{"region":"eu-west-1","table":"t"}"#, isEnabled: true, expired: 0, deadLetters: 0,
      skipped: 0,
      openBatches: 0, hold: nil)
    #expect(
      report(consumers: [consumer]).lines(width: nil).contains { $0.hasSuffix("  table t in eu-west-1") })
  }

  @Test func `dead letters are told by consumer`() {
    func consumer(_ name: String, _ deadLetters: Int) -> LogStatus.Consumer {
      LogStatus.Consumer(
        name: ConsumerName(rawValue: name), next: .first, lag: 0, oldestUnshippedSeconds: 0,
        destination: "{}", isEnabled: true, expired: 0, deadLetters: deadLetters, skipped: 0, openBatches: 0,
        hold: nil)
    }
    let consumers = [consumer("dynamodb", 1_500), consumer("s3", 0)]
    let line = report(rejected: 3, consumers: consumers).lines(width: nil).first {
      $0.hasPrefix("dead letters")
    }
    #expect(line == "dead letters  3 of feed, 1,500 of dynamodb; see `tickwal dead-letters list`")
    #expect(
      !report(consumers: [consumer("s3", 0)]).lines(width: nil).contains { $0.hasPrefix("dead letters") })
  }

  @Test func `open gaps are shown with their length, cause and first streams`() throws {
    let lines = report(
      [gap(1), gap(2, .stale, streams: 1_024)], ended: 1_200, recent: [.stale: 3, .closed: 1]
    )
    .lines(width: nil)
    #expect(lines.contains { $0.hasSuffix("  1,200 ended, 2 open; last 24 h: closed 1, stale 3") })
    #expect(
      lines.suffix(3) == [
        "open gap since                  for  cause   streams",
        "2026-11-21 05:13:20 UTC  1 min 05 s  closed  s1@trade",
        "2026-11-21 05:13:20 UTC  1 min 05 s  stale   s1@trade, s2@trade, s3@trade and 1,021 more",
      ])
    #expect(
      report([], ended: 2).lines(width: nil).contains { $0.hasSuffix("2 ended, 0 open; last 24 h: none") })
  }

  @Test func `of many open gaps the newest are shown`() {
    let lines = report((1...25).map { gap($0, streams: Int($0)) }).lines(width: nil)
    #expect(lines.filter { $0.contains("@trade") }.count == 10)
    #expect(lines.last == "and 15 older ones")
    #expect(lines[lines.count - 2].hasSuffix("s3@trade and 22 more"))
  }

  @Test func `the document has each gap whole`() throws {
    let text = report([gap(7, .diskFull, streams: 5)], ended: 2, recent: [.crash: 4]).document.text
    let document = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    let gaps = try #require(document["gaps"] as? [String: Any])
    #expect(gaps["ended"] as? Int == 2)
    #expect(
      gaps["last_24_hours"] as? [String: Int] == [
        "closed": 0, "stale": 0, "refused": 0, "shutdown": 0, "disk_full": 0, "queue_full": 0, "crash": 4,
        "frozen": 0, "unsubscribed": 0, "sequence": 0,
      ])
    let open = try #require((gaps["open"] as? [[String: Any]])?.first)
    #expect(open["id"] as? Int == 7)
    #expect(open["seconds"] as? Double == 65)
    #expect(open["cause"] as? String == "disk_full")
    #expect((open["streams"] as? [String])?.count == 5)
  }

  @Test func `the document has a gap's detail as JSON at its end`() {
    let gap = Gap(
      id: Gap.ID(rawValue: 1), startedAt: Self.someTime, endedAt: nil, cause: .unsubscribed, streams: [],
      detail: "{\"code\": 4}")
    #expect(report([gap]).document.text.contains("\"streams\":[],\"detail\":{\"code\":4}}"))
    #expect(report([self.gap(1)]).document.text.contains("\"streams\":[\"s1@trade\"],\"detail\":null}"))
  }

  @Test func `a clock that was set back gives no negative length`() {
    let gap = Gap(
      id: Gap.ID(rawValue: 1), startedAt: Self.someTime * 2, endedAt: nil, cause: .closed, streams: [])
    #expect(report([gap]).lines(width: nil).last?.contains(" 0 ms ") == true)
  }
}
