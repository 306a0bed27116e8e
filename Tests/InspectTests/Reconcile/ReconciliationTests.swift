import Shippers
import Testing

@testable import Inspect
@testable import WAL

@Suite struct ReconciliationTests {
  @Test func `problems are kept up to a limit and all are counted`() {
    var result = Reconciliation(
      Consumer(name: .s3, next: .first, destination: "{}", isEnabled: true, expired: 0), unit: "objects")
    #expect(result.agrees)
    for number in 0..<150 { result.add(.missing, isRepaired: number < 50, "\(number)") }
    #expect(result.problems.count == Reconciliation.problemLimit)
    #expect(result.moreProblems == 50)
    #expect(result.missing == 150)
    #expect(result.repaired == 50)
    #expect(!result.agrees)
  }
}
