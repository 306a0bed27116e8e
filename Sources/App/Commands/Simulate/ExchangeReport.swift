import Base
import Simulate

/// The doings of a stand-in exchange, for people and as JSON.
struct ExchangeReport {
  let statistics: ExchangeStatistics

  private var faults: [(name: String, count: Int)] {
    FaultKind.allCases.map { ($0.rawValue, statistics.faults[$0] ?? 0) }
  }

  private var violations: [(name: String, count: Int)] {
    ClientLimits.Rule.allCases.map { ($0.rawValue, statistics.violations[$0] ?? 0) }
  }

  /// One line a subject; nothing about what did not happen.
  var lines: [String] {
    let seen = statistics
    var lines = [
      "sent \(Figures.grouped(seen.messages)) messages over \(Figures.grouped(seen.connectionsOpened)) "
        + "connections, at most \(seen.mostConnectionsOpen) at once",
      "\(Figures.grouped(seen.attempts)) attempts to connect, \(Figures.grouped(seen.connectionsRefused)) refused, "
        + "at most \(seen.mostAttempts) of one address in 5 minutes; at most \(seen.mostClientMessages) messages "
        + "of one client in a second",
    ]
    let dropped = [("silent", seen.silentClients), ("slow", seen.slowClients)] + violations
    for (title, counts) in [("faults", faults), ("clients dropped or refused", dropped)] {
      let shown = counts.filter { $0.1 > 0 }.map { "\($0.0) \(Figures.grouped($0.1))" }
      if !shown.isEmpty { lines.append("\(title): " + shown.joined(separator: ", ")) }
    }
    return lines
  }

  var document: JSONDocument {
    .object([
      "messages": .integer(statistics.messages),
      "attempts": .integer(statistics.attempts),
      "most_attempts_in_5_minutes": .integer(statistics.mostAttempts),
      "connections_opened": .integer(statistics.connectionsOpened),
      "connections_refused": .integer(statistics.connectionsRefused),
      "connections_open": .integer(statistics.connectionsOpen),
      "most_connections_open": .integer(statistics.mostConnectionsOpen),
      "closed_by_clients": .integer(statistics.closedByClients),
      "most_client_messages_in_a_second": .integer(statistics.mostClientMessages),
      "pongs": .integer(statistics.pongs),
      "silent_clients": .integer(statistics.silentClients),
      "slow_clients": .integer(statistics.slowClients),
      "faults": .object(faults.map { .init(key: $0.name, value: .integer($0.count)) }),
      "violations": .object(violations.map { .init(key: $0.name, value: .integer($0.count)) }),
    ])
  }
}
