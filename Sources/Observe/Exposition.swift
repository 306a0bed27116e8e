/// A value that is found out when it is asked for: what the log or the system says.
package struct MetricSample: Sendable, Equatable {
  package let label: String
  /// Label values, in the order of its family.
  package let values: [String]
  package let value: Double

  package init(_ label: String, _ values: [String], _ value: Double) {
    self.label = label
    self.values = values
    self.value = value
  }

  /// Of a family without labels.
  package init(_ label: String, _ value: Double) { self.init(label, [], value) }
}

/// The text that Prometheus scrapes.
///
/// Reference: https://prometheus.io/docs/instrumenting/exposition_formats/,
/// https://prometheus.io/docs/specs/om/open_metrics_spec/
package enum Exposition: Sendable {
  case text
  case openMetrics

  package var contentType: String {
    switch self {
    case .text: "text/plain; version=0.0.4; charset=utf-8"
    case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
    }
  }

  /// The form that a client asks for.
  /// - Parameter accept: its `Accept` header; nil for none.
  package init(accept: String?) {
    let wants = (accept ?? "").split(separator: ",").contains { part in
      let words = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
      return words.first == "application/openmetrics-text" && !words.contains("q=0")
    }
    self = wants ? .openMetrics : .text
  }

  /// - Parameter samples: of the families that the program does not move itself.
  package func document(_ registry: MetricRegistry, samples: [MetricSample]) -> String {
    let found = Dictionary(grouping: samples, by: \.label)
    var text = ""
    for family in registry.families {
      let moved = registry.series(of: family)
      let given = found[family.label] ?? []
      guard !moved.isEmpty || !given.isEmpty else { continue }
      write(family, moved, given, to: &text)
    }
    if self == .openMetrics { text += "# EOF\n" }
    return text
  }

  private func write(
    _ family: MetricFamily, _ moved: [(values: [String], instrument: Instrument)], _ given: [MetricSample],
    to text: inout String
  ) {
    // OpenMetrics names a counter without what its samples end in.
    let title =
      self == .openMetrics && family.kind == .counter && family.name.hasSuffix("_total")
      ? String(family.name.dropLast(6)) : family.name
    text += "# HELP \(title) \(Self.escaped(family.help, quotes: self == .openMetrics))\n"
    text += "# TYPE \(title) \(family.kind.word)\n"
    // A value that was found out stands for one that was moved.
    let replaced = Set(given.map(\.values))
    for (values, instrument) in moved where !replaced.contains(values) {
      let labels = zip(family.labels, values).map { ($0, $1) }
      switch instrument {
      case .counter(let cell): line(family.name, labels, Self.number(cell.value), to: &text)
      case .gauge(let cell): line(family.name, labels, Self.number(cell.value), to: &text)
      case .histogram(let cell): histogram(family, labels, cell, to: &text)
      }
    }
    for sample in given {
      let labels = zip(family.labels, sample.values).map { ($0, $1) }
      line(family.name, labels, Self.number(sample.value), to: &text)
    }
  }

  private func histogram(
    _ family: MetricFamily, _ labels: [(String, String)], _ cell: HistogramCell, to text: inout String
  ) {
    let reading = cell.reading
    var below: Int64 = 0
    for (index, count) in reading.counts.enumerated() {
      below += count
      let bound = index < cell.bounds.count ? Self.number(cell.bounds[index]) : "+Inf"
      line(family.name + "_bucket", labels + [("le", bound)], Self.number(below), to: &text)
    }
    line(family.name + "_sum", labels, Self.number(reading.sum), to: &text)
    line(family.name + "_count", labels, Self.number(below), to: &text)
  }

  private func line(_ name: String, _ labels: [(String, String)], _ value: String, to text: inout String) {
    text += name
    if !labels.isEmpty {
      let pairs = labels.map { "\($0.0)=\"\(Self.escaped($0.1, quotes: true))\"" }
      text += "{\(pairs.joined(separator: ","))}"
    }
    text += " \(value)\n"
  }

  private static func number(_ value: Int64) -> String { String(value) }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    if value == value.rounded(), abs(value) < 9e15 { return String(Int64(value)) }
    return String(value)
  }

  private static func escaped(_ text: String, quotes: Bool) -> String {
    var result = ""
    for character in text.unicodeScalars {
      switch character {
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\"" where quotes: result += "\\\""
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}
