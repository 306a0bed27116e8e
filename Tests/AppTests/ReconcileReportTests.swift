import Inspect
import Testing

@testable import WAL
@testable import tickwal

@Suite struct ReconcileReportTests {
  private func note(trimmed: OffsetRange?) -> String? {
    ReconcileReport(
      path: "ticks.db", logID: LogID(rawValue: "12a5b72a42c20602"),
      range: Offset(rawValue: 1)...Offset(rawValue: 9), trimmed: trimmed, options: Reconcile.Options(),
      results: []
    ).note
  }

  @Test func `what of the bounds is not kept any more is said`() {
    #expect(note(trimmed: nil) == nil)
    #expect(
      note(trimmed: Offset(rawValue: 1)...Offset(rawValue: 4))
        == "offsets 1 to 4 are not kept any more: their items are not compared")
  }
}
