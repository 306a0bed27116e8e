import Base
import WAL

/// The state of the process in one line, for the service manager. Pure.
struct ServiceStatus {
  let sight: Sight

  var text: String {
    let health = HealthReport(status: sight.status, view: .told(sight.feed))
    var parts: [String] = []
    if let rates = sight.feed.process?.rates, hasFeed {
      parts.append("\(Figures.rounded(rates.appended))/s in")
    }
    parts += sight.status.consumers.filter(\.isEnabled).map { consumer in
      consumer.lag == 0
        ? "\(consumer.name) all shipped" : "\(consumer.name) \(Figures.grouped(consumer.lag)) behind"
    }
    let gaps = sight.status.openGaps.count
    parts.append(gaps == 0 ? "no open gap" : "\(Figures.counted(gaps, "open gap"))")
    if let busy = sight.writerBusyFor?.time, busy >= Self.longWork {
      parts.append("the writer has been at one piece of work for \(Figures.duration(busy))")
    }
    let words = parts.joined(separator: ", ")
    guard hasFeed else { return words }
    guard let first = health.problems.first else { return "healthy: \(words)" }
    return "not healthy: \(words); \(first.part): \(first.what)"
  }

  private var hasFeed: Bool { sight.feed.state != .none }
  /// A commit that takes longer is worth a word.
  private static let longWork = Duration.seconds(1)
}
