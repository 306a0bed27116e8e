import CoreMetrics
import Synchronization

/// The backend of swift-metrics: every series that the program moves, by family.
///
/// Knows its families from the start; a handle for anything else counts into the void. Making a handle looks the
/// series up under a lock, which is why they are made once.
package final class MetricRegistry: MetricsFactory {
  package let families: [MetricFamily]
  private let byLabel: [String: MetricFamily]
  private let instruments: Mutex<[String: [[String]: Instrument]]>

  package init(_ families: [MetricFamily]) {
    self.families = families
    byLabel = Dictionary(uniqueKeysWithValues: families.map { ($0.label, $0) })
    instruments = Mutex([:])
    for family in families {
      for values in family.series { _ = instrument(family, values) }
    }
  }

  private func instrument(_ family: MetricFamily, _ values: [String]) -> Instrument {
    instruments.withLock { all in
      if let known = all[family.label]?[values] { return known }
      let made: Instrument =
        switch family.kind {
        case .counter: .counter(CounterCell())
        case .gauge: .gauge(GaugeCell())
        case .histogram(let bounds): .histogram(HistogramCell(bounds: bounds))
        }
      all[family.label, default: [:]][values] = made
      return made
    }
  }

  /// - Returns: nil for a metric that there is not, or one with other labels.
  private func instrument(_ label: String, _ dimensions: [(String, String)]) -> Instrument? {
    guard let family = byLabel[label], dimensions.count == family.labels.count else { return nil }
    var values: [String] = []
    for name in family.labels {
      guard let value = dimensions.first(where: { $0.0 == name })?.1 else { return nil }
      values.append(value)
    }
    return instrument(family, values)
  }

  /// The series of a family that the program moves, sorted by their label values.
  func series(of family: MetricFamily) -> [(values: [String], instrument: Instrument)] {
    let all = instruments.withLock { $0[family.label] ?? [:] }
    return all.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { ($0.key, $0.value) }
  }

  /// What the one series of a histogram without labels has counted by now; nil if there is no such family.
  package func distribution(of label: String) -> Distribution? {
    guard let family = byLabel[label], family.labels.isEmpty, case .histogram = family.kind,
      case .histogram(let cell) = instrument(family, [])
    else { return nil }
    return Distribution(bounds: cell.bounds, counts: cell.reading.counts)
  }

  // MARK: MetricsFactory

  package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    if case .counter(let cell)? = instrument(label, dimensions) { return cell }
    return NOOPMetricsHandler.instance
  }

  package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    if case .gauge(let cell)? = instrument(label, dimensions) { return cell }
    return NOOPMetricsHandler.instance
  }

  package func makeRecorder(
    label: String, dimensions: [(String, String)], aggregate: Bool
  ) -> any RecorderHandler {
    if case .histogram(let cell)? = instrument(label, dimensions) { return cell }
    return NOOPMetricsHandler.instance
  }

  package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    if case .histogram(let cell)? = instrument(label, dimensions) { return cell }
    return NOOPMetricsHandler.instance
  }

  // A series stays for as long as its process: what was counted is not forgotten.
  package func destroyCounter(_ handler: any CounterHandler) {}
  package func destroyMeter(_ handler: any MeterHandler) {}
  package func destroyRecorder(_ handler: any RecorderHandler) {}
  package func destroyTimer(_ handler: any TimerHandler) {}
}
