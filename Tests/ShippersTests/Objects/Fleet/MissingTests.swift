import TestSupport
import Testing

@testable import Shippers

@Suite struct MissingTests {
  private func skip(_ time: ClosedRange<Int64>, _ ids: ClosedRange<Int64>) -> Missing.Skip {
    Missing.Skip(time: time, ids: ids)
  }

  @Test func `stretches that touch are one`() {
    #expect(Missing(times: [5...7, 1...3, 3...4, 7...9]).times == [1...4, 5...9])
  }

  @Test func `what both lack is missing, the ends of a gap included`() {
    let one = Missing(times: [0...10, 20...30, 40...50])
    #expect(
      one.common(with: Missing(times: [5...25, 30...30, 50...60])).times == [
        5...10, 20...25, 30...30, 50...50,
      ])
    #expect(one.common(with: Missing(times: [11...19, 31...39])).isEmpty)
  }

  @Test func `of ids that skip, those are missing that both lack`() {
    let one = Missing(skips: [skip(10...20, 100...110)])
    #expect(one.common(with: Missing(skips: [skip(12...22, 111...120)])).isEmpty)
    // One who has it received what is missing later than the other.
    #expect(one.common(with: Missing(skips: [skip(21...22, 105...120)])).skips == [skip(10...22, 105...110)])
  }

  @Test func `ids that skip where the other has nothing are missing`() {
    let one = Missing(skips: [skip(10...20, 100...110)])
    #expect(one.common(with: Missing(times: [0...12])).skips == [skip(10...12, 100...110)])
    #expect(Missing(times: [0...12]).common(with: one).skips == [skip(10...12, 100...110)])
    #expect(one.common(with: Missing(times: [21...30])).isEmpty)
    #expect(one.common(with: Missing()).isEmpty)
  }

  @Test func `ids that overlap are one stretch`() {
    let missing = Missing(skips: [skip(30...40, 8...12), skip(1...2, 20...21), skip(10...20, 5...9)])
    #expect(missing.skips == [skip(10...40, 5...12), skip(1...2, 20...21)])
  }

  /// As somebody may put them into a bucket: each with each would never end.
  @Test func `many that overlap are soon done`() {
    func many(_ shift: Int64) -> Missing {
      Missing(
        times: (0..<50_000).map { $0 * 10...$0 * 10 + 5 },
        skips: (0..<50_000).map { skip(0...500_000, $0 * 10 + shift...$0 * 10 + shift + 5) })
    }
    #expect(many(0).common(with: many(3)).skips.count == 50_000)
  }

  /// Against a look at each moment by itself.
  @Test(arguments: 0..<200 as Range<UInt64>) func `moments that both lack are in what is common`(seed: UInt64)
  {
    var random = SplitMix64(seed: seed)
    func stretches() -> [ClosedRange<Int64>] {
      (0..<Int.random(in: 0...6, using: &random)).map { _ in
        let from = Int64.random(in: 0...40, using: &random)
        return from...(from + Int64.random(in: 0...8, using: &random))
      }
    }
    let (one, two) = (stretches(), stretches())
    let common = Missing(times: one).common(with: Missing(times: two)).times
    for moment in 0...50 as ClosedRange<Int64> {
      let isMissing = one.contains { $0.contains(moment) } && two.contains { $0.contains(moment) }
      #expect(common.contains { $0.contains(moment) } == isMissing)
    }
    for (left, right) in zip(common, common.dropFirst()) { #expect(left.upperBound < right.lowerBound) }
  }
}
