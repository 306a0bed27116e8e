/// All series of one metric: its name, what it says, and the labels that tell its series apart.
package struct MetricFamily: Sendable {
  package enum Kind: Sendable, Equatable {
    case counter
    case gauge
    /// Classic, with the upper bounds of its buckets in ascending order, `+Inf` not among them.
    case histogram([Double])

    var word: String {
      switch self {
      case .counter: "counter"
      case .gauge: "gauge"
      case .histogram: "histogram"
      }
    }
  }

  /// The name under which the program's modules ask for it, without the prefix.
  package let label: String
  /// The name as it is scraped.
  package let name: String
  package let help: String
  package let kind: Kind
  /// The names of its labels, in the order in which they are written.
  package let labels: [String]
  /// Label values, in the order of ``labels``, of the series that are there from the start.
  package let series: [[String]]

  /// - Parameters:
  ///   - hasPrefix: `false` for `process_*` alone.
  ///   - series: by default the one without labels, if it has none.
  package init(
    _ label: String, _ kind: Kind, _ help: String, labels: [String] = [], series: [[String]]? = nil,
    hasPrefix: Bool = true
  ) {
    self.label = label
    name = hasPrefix ? "tickwal_" + label : label
    self.kind = kind
    self.help = help
    self.labels = labels
    self.series = series ?? (labels.isEmpty ? [[]] : [])
  }
}

extension MetricFamily.Kind {
  /// `count` bounds, each twice the one before.
  package static func doubling(from first: Double, count: Int) -> Self {
    .histogram((0..<count).map { first * Double(1 << $0) })
  }
}
