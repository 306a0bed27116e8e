import AWS
import ShippingFixtures
import Testing

@testable import Shippers

@Suite struct TableLookTests {
  private func table(_ keys: [(String, String)], status: String = "ACTIVE") -> TableDescription {
    TableDescription(
      name: "t", status: status,
      keys: keys.enumerated().map {
        TableDescription.Key(name: $1.0, role: $0 == 0 ? .hash : .range, type: $1.1)
      },
      answer: Answer(date: nil))
  }

  private let right = [("stream_type", "S"), ("iso_timestamp", "S")]

  @Test func `a table needs its two keys, as texts, and to be active`() {
    #expect(TableLook.keys(table(right)).verdict == .ok)
    #expect(TableLook.keys(table(right, status: "CREATING")).verdict == .failed)
    for keys in [
      [("stream_type", "S")], [("iso_timestamp", "S"), ("stream_type", "S")],
      [("stream_type", "S"), ("iso_timestamp", "N")],
    ] {
      #expect(TableLook.keys(table(keys)).verdict == .failed)
    }
  }

  @Test(arguments: [
    (TimeToLive(status: "ENABLED", attribute: "ttl_days"), DoctorFinding.Verdict.ok),
    (TimeToLive(status: "ENABLING", attribute: "ttl_days"), .ok),
    (TimeToLive(status: "ENABLED", attribute: "expires"), .failed),
    (TimeToLive(status: "DISABLED"), .failed),
    (TimeToLive(status: "DISABLING", attribute: "ttl_days"), .failed),
  ])
  func `items that stay for ever are a failure with the command against it`(
    ttl: TimeToLive, verdict: DoctorFinding.Verdict
  ) {
    let finding = TableLook.timeToLive(ttl, table: "t", region: "eu-west-1")
    #expect(finding.verdict == verdict)
    #expect((finding.remedy?.contains("--region eu-west-1 --table-name t ") == true) == (verdict == .failed))
  }
}
