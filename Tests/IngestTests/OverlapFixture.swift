import WAL

@testable import Ingest

/// Ticks as `stream payload` for short expectations.
func intake(_ ticks: String..., at time: Int64 = 1) -> Intake {
  var intake = Intake(messages: ticks.count, receivedAt: time)
  for tick in ticks {
    let parts = tick.split(separator: " ")
    intake.ticks.append(
      receivedAt: time, eventTime: nil, stream: String(parts[0]), payload: String(parts[1]))
  }
  return intake
}

extension Intake {
  var texts: [String] { ticks.entries.map { ticks.stream(of: $0) + " " + ticks.payload(of: $0) } }
}

extension FeedSession.ConnectionID: ExpressibleByIntegerLiteral {
  public init(integerLiteral number: Int) { self.init(number: number) }
}
