import ShippingFixtures
import TestSupport
import Testing

@testable import Inspect
@testable import WAL

@Suite struct PlanCoverageTests {
  private func expect(
    _ coverage: inout PlanCoverage, _ plan: OffsetRange, hole: OffsetRange?, overlaps: Bool,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let found = coverage.add(plan)
    #expect(found.hole == hole, sourceLocation: sourceLocation)
    #expect(found.overlaps == overlaps, sourceLocation: sourceLocation)
  }

  @Test func `what lies between plans is found`() {
    var coverage = PlanCoverage(of: offsets(5...100))
    // It reaches into the range from before.
    expect(&coverage, offsets(1...10), hole: nil, overlaps: false)
    expect(&coverage, offsets(11...20), hole: nil, overlaps: false)
    expect(&coverage, offsets(31...40), hole: offsets(21...30), overlaps: false)
    expect(&coverage, offsets(40...50), hole: nil, overlaps: true)
    #expect(coverage.holeAtEnd() == offsets(51...100))
    // Above what was asked for.
    expect(&coverage, offsets(90...120), hole: offsets(51...89), overlaps: false)
    expect(&coverage, offsets(150...160), hole: nil, overlaps: false)
    #expect(coverage.holeAtEnd() == nil)
  }

  @Test func `without plans all is a hole`() {
    #expect(PlanCoverage(of: offsets(3...4)).holeAtEnd() == offsets(3...4))
  }

  @Test func `a range without others is what sets say`() {
    var random = SplitMix64(seed: 7)
    for _ in 0..<500 {
      let range = offsets(5...Int64.random(in: 5...20, using: &random))
      var others: [OffsetRange] = []
      for _ in 0..<Int.random(in: 0...4, using: &random) {
        let first = Int64.random(in: 1...22, using: &random)
        others.append(offsets(first...first + Int64.random(in: 0...6, using: &random)))
      }
      others.sort { $0.lowerBound < $1.lowerBound }
      let left = Set(range.without(others).flatMap { $0.lowerBound.rawValue...$0.upperBound.rawValue })
      let expected = Set(range.lowerBound.rawValue...range.upperBound.rawValue).subtracting(
        others.flatMap { $0.lowerBound.rawValue...$0.upperBound.rawValue })
      #expect(left == expected, "\(range) without \(others)")
    }
  }
}
