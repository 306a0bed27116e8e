/// The figures of an exchange up to now.
package struct ExchangeStatistics: Sendable, Equatable {
  /// Connections that clients began, before TLS and upgrade.
  package internal(set) var attempts = 0
  package internal(set) var connectionsOpened = 0
  package internal(set) var connectionsRefused = 0
  /// Until the connection has really ended, also while it is being closed.
  package internal(set) var connectionsOpen = 0
  package internal(set) var mostConnectionsOpen = 0
  /// Connections that their client closed in order.
  package internal(set) var closedByClients = 0
  /// Messages made, each counted once however many clients got it.
  package internal(set) var messages = 0
  /// Pongs that answered a ping of the exchange.
  package internal(set) var pongs = 0
  /// Clients dropped because they did not answer pings.
  package internal(set) var silentClients = 0
  /// Clients dropped because too much waited for them.
  package internal(set) var slowClients = 0
  /// How often each kind of fault was worked, by itself or by plan.
  package internal(set) var faults: [FaultKind: Int] = [:]
  /// The most attempts of one address in five minutes.
  package internal(set) var mostAttempts = 0
  /// The most messages, pings and pongs of one client in a second.
  package internal(set) var mostClientMessages = 0
  /// Clients refused or dropped because they broke a rule, where the rules are enforced.
  package internal(set) var violations: [ClientLimits.Rule: Int] = [:]
}
