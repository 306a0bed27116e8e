import Base
import Testing

@testable import WAL
@testable import tickwal

@Suite struct StatusPageTests {
  private static let now: Int64 = 1_795_238_000_000_000

  private func page(refused names: [String] = [], trouble: String? = nil, destination: String = "{}")
    -> String
  {
    var feed = ControlAnswer.Feed(
      state: .running, connected: true, since: Self.now - 60_000_000, connections: 1, plannedConnections: 1,
      streams: 2, granted: 2)
    feed.refused.count = names.count
    feed.refused.names = names
    feed.process = ControlAnswer.Feed.Process(
      disk: "normal", maximumAge: ["s3": 130],
      troubles: trouble.map {
        [.init(consumer: "s3", since: Self.now - 120_000_000, failures: 41, error: $0)]
      } ?? [])
    let consumer = LogStatus.Consumer(
      name: ConsumerName(rawValue: "s3"), next: .first, lag: 3, oldestUnshippedSeconds: 1,
      destination: destination,
      isEnabled: true, expired: 0, deadLetters: 0, skipped: 0, openBatches: 0, hold: nil)
    let status = LogStatus(
      logID: LogID(rawValue: "0123456789abcdef"), head: Offset(rawValue: 5), oldest: .first,
      lastReceivedAt: nil,
      consumers: [consumer], openGaps: [], endedGaps: 0, recentGaps: [:], completeness: nil, readAt: Self.now,
      rejectedInput: 0, fileBytes: 1, walBytes: 0, writerPID: 42, feed: LogStatus.Feed(streams: 2))
    return StatusPage(report: StatusReport(status, path: "/var/lib/tickwal/ticks.db", feed: .told(feed))).html
  }

  @Test func `all is well in the document itself, and as words for those without scripts`() {
    let page = page()
    #expect(page.contains(#"<html lang="en" data-state="well">"#))
    #expect(page.contains(#"<h1 id="headline">All is well</h1>"#))
    #expect(page.contains("<title>All is well · tickwal</title>"))
    #expect(page.contains("<pre tabindex=\"0\">healthy\n"))
    #expect(page.contains("connected since 2026-11-21"))
  }

  @Test func `a problem is there with its part, since when, and what to do`() {
    let page = page(trouble: "UpdateItem: ResourceNotFoundException")
    #expect(page.contains(#"data-state="trouble""#) && page.contains("<h1 id=\"headline\">1 problem</h1>"))
    #expect(page.contains(#"<strong class="part">s3</strong><span class="since">since 2026-11-21 "#))
    #expect(page.contains(", for 2 min</span>"))
    #expect(page.contains("deliveries fail, 41 times by now: UpdateItem: ResourceNotFoundException"))
    #expect(page.contains(#"<p class="advice">mend what the error says"#))
  }

  @Test(arguments: [
    "<script>alert(1)</script>", "</pre></noscript><img src=x onerror=alert(1)>", "\" onload=\"x",
    "'x' & <b>",
    "[[SCRIPT]]", "\u{202E}esrever", "\u{0}\u{1B}[2J",
  ])
  func `what comes from outside is text, wherever it stands`(text: String) {
    let hostile = page(refused: [text], trouble: text, destination: text)
    let usual = page(refused: ["a@trade"], trouble: "a", destination: "b")
    for mark in [
      "<script", "</script", "<img", "<b>", "</pre>", "</noscript>", "onload=\"", "\u{202E}", "\u{1B}",
      "\u{0}",
    ] {
      #expect(hostile.ranges(of: mark).count == usual.ranges(of: mark).count, "\(mark)")
    }
  }

  @Test func `what is put into a place is not looked through for others`() {
    #expect(StatusPage.filled("a[[X]]b[[Y]]c]]", ["X": "[[Y]]", "Y": "y"]) == "a[[Y]]byc]]")
    #expect(StatusPage.filled("[[NONE]]", [:]) == "")
  }

  @Test func `the policy lets run and load what stands in the page, and nothing else`() throws {
    let page = page()
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
      #expect(page.ranges(of: "<\(tag)>").count == 1 && page.ranges(of: "</\(tag)>").count == 1)
      let start = try #require(page.firstRange(of: "<\(tag)>")).upperBound
      let end = try #require(page.firstRange(of: "</\(tag)>")).lowerBound
      let hash = SHA256.hash(Array(page[start..<end].utf8)).base64
      #expect(StatusPage.policy.contains("\(directive) 'sha256-\(hash)'"))
    }
    #expect(
      StatusPage.policy.hasPrefix("default-src 'none'; ")
        && StatusPage.policy.contains("frame-ancestors 'none'"))
    #expect(!StatusPage.policy.contains("unsafe") && !StatusPage.policy.contains("*"))
  }

  @Test func `nothing of the page comes from elsewhere, and no text of it becomes markup in a script`() {
    let page = page()
    let sources = page.ranges(of: #/(?:src|href|action)="(?!\/|#|data:,")/#)
    #expect(sources.isEmpty)
    #expect(!page.contains(#/\son\w+="/#) && !page.contains(" style=\"") && !page.contains("@import"))
    #expect(!page.contains(#/\.(?:innerHTML|outerHTML)\s*=[^=]|insertAdjacentHTML|document\.write|\beval\(/#))
  }
}
