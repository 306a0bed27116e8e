/// The counts of a histogram's buckets, and what they say of its values. A pure value.
package struct Distribution: Sendable, Equatable {
  /// Upper bounds, in ascending order.
  package let bounds: [Double]
  /// Each bucket's own, the one above all bounds last.
  package let counts: [Int64]

  package init(bounds: [Double], counts: [Int64]) {
    self.bounds = bounds
    self.counts = counts
  }

  /// Of what came after an earlier reading of the same histogram.
  package func since(_ earlier: Distribution) -> Distribution {
    Distribution(bounds: bounds, counts: zip(counts, earlier.counts).map { max(0, $0 &- $1) })
  }

  /// The value below which a share of all values lie, as evenly as they may lie in their bucket; the highest bound if
  /// it is above; nil without values.
  ///
  /// Reference: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile
  package func quantile(_ share: Double) -> Double? {
    let total = counts.reduce(0, +)
    guard total > 0 else { return nil }
    let rank = share * Double(total)
    var below = 0.0
    for (index, bound) in bounds.enumerated() {
      let count = Double(counts[index])
      if count > 0, below + count >= rank {
        let lower = index > 0 ? bounds[index - 1] : 0
        return lower + (bound - lower) * max(0, rank - below) / count
      }
      below += count
    }
    return bounds.last
  }
}
