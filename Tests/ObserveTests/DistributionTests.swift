import CoreMetrics
import Observe
import Testing

@Suite struct DistributionTests {
  private let some = Distribution(bounds: [1, 2, 4], counts: [10, 10, 0, 0])

  @Test func `a share lies in its bucket as evenly as it may`() {
    #expect(some.quantile(0.25) == 0.5)
    #expect(some.quantile(0.5) == 1)
    #expect(some.quantile(0.75) == 1.5)
    #expect(some.quantile(1) == 2)
  }

  @Test func `what is above all bounds is said to be at the last, and of nothing nothing is said`() {
    #expect(Distribution(bounds: [1, 2], counts: [0, 0, 5]).quantile(0.5) == 2)
    #expect(Distribution(bounds: [1, 2], counts: [0, 0, 0]).quantile(0.5) == nil)
  }

  @Test func `what came since an earlier reading is never less than nothing`() {
    #expect(
      Distribution(bounds: [1], counts: [5, 1]).since(.init(bounds: [1], counts: [2, 3])).counts == [3, 0])
  }

  @Test func `a registry tells what a histogram has counted, and nothing of what is none`() {
    let registry = MetricRegistry([
      MetricFamily("wait_seconds", .doubling(from: 0.5, count: 2), "A wait."),
      MetricFamily("level", .gauge, "A level."),
    ])
    Recorder(label: "wait_seconds", dimensions: [], aggregate: true, factory: registry).record(0.75)
    #expect(registry.distribution(of: "wait_seconds") == Distribution(bounds: [0.5, 1], counts: [0, 1, 0]))
    #expect(registry.distribution(of: "level") == nil && registry.distribution(of: "nothing") == nil)
  }
}
