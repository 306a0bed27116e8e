import Shippers
import Testing
import WAL

@testable import tickwal

@Suite struct DoctorTests {
  @Test(arguments: [
    ([0, 0], DoctorFinding.Verdict.ok), ([60, 0], .ok), ([0, 61], .warning), ([-100], .warning),
    ([], .skipped),
  ])
  func `a clock may differ by a minute`(ahead: [Int], verdict: DoctorFinding.Verdict) {
    let finding = DoctorRules.clock(ahead.map { ("S3", $0) })
    #expect(finding.verdict == verdict)
    #expect(finding.summary.contains("behind") == (ahead == [-100]))
  }

  @Test func `what has not answered in time is named, and what comes later is passed over`() async {
    let findings = DoctorFindings()
    await findings.of("quick") { [.ok("quick", "x")] }
    await findings.of("slow") {
      findings.timeIsUp(after: .seconds(8))
      return [.ok("slow", "too late")]
    }
    #expect(findings.all.map(\.verdict) == [.ok, .failed])
    #expect(findings.all.last?.summary == "no answer within 8 s")
    var news: [String] = []
    for await finding in findings.news { news.append(finding.name) }
    #expect(news == ["quick", "slow"])
  }

  @Test func `a volume that fills up is a warning`() {
    let limits = DiskLimits(low: .percent(20), stop: .bytes(100 << 20), ballast: 0)
    func verdict(_ free: Int, _ total: Int) -> DoctorFinding.Verdict {
      DoctorRules.space(free: free, of: total, limits: limits, folder: "/").verdict
    }
    #expect(verdict(200 << 20, 1_000 << 20) == .ok)
    #expect(verdict(199 << 20, 1_000 << 20) == .warning)
    #expect(verdict(100 << 20, 1_000 << 20) == .warning)
    #expect(verdict(99 << 20, 1_000 << 20) == .failed)
    #expect(verdict(0, 0) == .failed)
  }

  @Test func `what is too little is said with its bound`() {
    let limits = DiskLimits(low: .percent(20), stop: .bytes(100 << 20), ballast: 0)
    let finding = DoctorRules.space(free: 99 << 20, of: 1_000 << 20, limits: limits, folder: "/data")
    #expect(
      finding.summary
        == "99 MiB of 1000 MiB free (9 %) at /data, below DISK_STOP (100 MiB): nothing would be appended")
  }

  @Test func `a volume without any room is never well`() {
    let off = DiskLimits(low: .bytes(0), stop: .bytes(0), ballast: 0)
    func verdict(_ free: Int) -> DoctorFinding.Verdict {
      DoctorRules.space(free: free, of: 1_000 << 20, limits: off, folder: "/").verdict
    }
    #expect(verdict(0) == .failed)
    #expect(verdict((1 << 20) - 1) == .failed)
    #expect(verdict(1 << 20) == .ok)
  }

  @Test(arguments: [
    (3_040_001, "3.40.1", true), (3_006_023, "3.6.23", false), (3_051_002, "3.51.2", true),
    (3_051_003, "3.51.3", false),
    (3_050_007, "3.50.7", false), (3_050_006, "3.50.6", true), (3_044_006, "3.44.6", false),
    (3_045_000, "3.45.0", true),
    (3_052_000, "3.52.0", false),
  ])
  func `versions with the WAL-reset bug are known`(number: Int, text: String, hasBug: Bool) {
    let version = SQLiteVersion(number: number)
    #expect(version.description == text)
    #expect(version.hasWALResetBug == hasBug)
    #expect(DoctorRules.sqlite(version).summary.contains("cannot strike") == hasBug)
  }

  @Test func `one failure is enough, warnings are not`() {
    let fine = [DoctorFinding.ok("a", "x"), .warning("b", "y", "do\nthis"), .skipped("c", "z")]
    #expect(DoctorReport(findings: fine).isWell)
    #expect(!DoctorReport(findings: fine + [.failed("d", "w")]).isWell)
    #expect(
      fine.flatMap(DoctorReport.lines) == [
        "ok       a              x", "warning  b              y", "         → do\\nthis",
        "skipped  c              z",
      ])
    #expect(
      DoctorReport(findings: [.failed("d", "w")]).document.text
        == #"{"ok":false,"checks":[{"name":"d","verdict":"failed","summary":"w","remedy":null}]}"#)
  }
}
