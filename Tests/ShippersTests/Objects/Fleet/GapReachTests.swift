import ShippingFixtures
import Testing
import WAL

@testable import Shippers

private let second: Int64 = 1_000_000
private let hour = 3_600 * second
private let day = 24 * hour
/// 2026-11-22 00:00 UTC.
private let midnight: Int64 = 1_795_305_600_000_000

@Suite struct GapReachTests {
  private func reach(longest: Double = 7_200, oldestOpen: Int64? = nil, writtenAt: Int64 = midnight)
    -> GapReach
  {
    GapReach(
      writtenAt: NoteTime(writtenAt),
      bounds: .init(longestSeconds: longest, oldestOpen: oldestOpen.map { NoteTime($0) }))
  }

  private let window = midnight - 2 * day...midnight - day

  @Test(arguments: [
    // No longer than two hours, and one for clocks.
    (-2 * day - 3 * hour - second, false), (-2 * day - 3 * hour, true), (-2 * day, true), (-day, true),
    (-day + second, false), (-30 * day, false),
  ])
  func `of the gaps that have ended those may reach into a time that are long enough`(start: Int64, may: Bool)
  {
    #expect(reach().mayReach(into: window, from: midnight + start) == may)
  }

  @Test func `an open gap may reach anywhere, and what came after the note may be open`() {
    let open = reach(oldestOpen: midnight - 30 * day)
    #expect(open.mayReach(into: window, from: midnight - 30 * day))
    #expect(!open.mayReach(into: window, from: midnight - 31 * day))
    let old = reach(writtenAt: midnight - 10 * day)
    #expect(old.mayReach(into: window, from: midnight - 9 * day))
    #expect(!old.mayReach(into: window, from: midnight - 11 * day))
  }

  @Test func `where a note says nothing each gap may reach anywhere`() {
    #expect(GapReach(writtenAt: NoteTime(midnight), bounds: nil).mayReach(into: window, from: 0))
    #expect(!GapReach(writtenAt: NoteTime(midnight), bounds: nil).mayReach(into: window, from: midnight))
  }

  @Test(arguments: [-1e300, 1e300, 0]) func `any number is a length`(longest: Double) {
    _ = reach(longest: longest, oldestOpen: .min, writtenAt: .min).mayReach(into: .min ... .max, from: .max)
    #expect(reach(longest: longest).mayReach(into: window, from: midnight - 2 * day))
  }
}

@Suite struct KnownStreamsTests {
  private func text(_ number: Int, _ rest: String) -> String {
    """
    {"gap":\(number),"log_id":"1","started_at":"2026-11-22T00:00:0\(number).000000Z","ended_at":null,\(rest)}
    """
  }

  @Test func `what is understood once is what would be understood each time`() throws {
    let known = KnownStreams()
    let texts = [
      #""cause":"closed","streams":["a","b"]"#, #""cause":"closed","streams":["a","b"]"#,
      #""cause":"sequence","streams":["a"],"detail":{"after":5,"before":9}"#,
      #""cause":"sequence","streams":["a"],"detail":{"after":5,"before":9}"#,
      #""cause":"closed","streams":["a"],"detail":{"after":5,"before":9}"#,
      #""cause":"sequence","streams":["a"],"detail":{"after":5,"before":9}"#,
      #""cause":"x\"streams\":","streams":["a"]"#, #""streams":["a","b"],"cause":"closed""#,
      #""streams":["a","b"],"cause":"closed""#,
    ]
    let other =
      #"{"started_at":"2026-11-22T00:00:00.000000Z","cause":"closed","ended_at":null,"streams":["a"]}"#
    for _ in 0..<2 {
      #expect(try known.gap(json: Array(other.utf8), of: "1") == ToldGap(json: Array(other.utf8)))
    }
    for (number, rest) in texts.enumerated() {
      let body = Array(text(number, rest).utf8)
      #expect(try known.gap(json: body, of: "1") == ToldGap(json: body), "\(rest)")
    }
  }

  @Test(arguments: ["", "{}", #"{"streams":["a"]}"#, #"{"streams":["a"#]) func `what is no gap is refused`(
    body: String
  ) {
    let known = KnownStreams()
    for _ in 0..<2 {
      #expect(throws: (any Error).self) { try known.gap(json: Array(body.utf8), of: "1") }
    }
  }
}
