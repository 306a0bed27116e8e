/// What an exchange has done so far.
public struct ExchangeStatistics: Sendable, Equatable {
  /// Connections that clients began, before TLS and upgrade.
  public internal(set) var attempts = 0
  public internal(set) var connectionsOpened = 0
  public internal(set) var connectionsRefused = 0
  /// Until the connection has really ended, also while it is being closed.
  public internal(set) var connectionsOpen = 0
  public internal(set) var mostConnectionsOpen = 0
  /// Connections that their client closed in order.
  public internal(set) var closedByClients = 0
  /// Messages made, each counted once however many clients got it.
  public internal(set) var messages = 0
  /// Pongs that answered a ping of the exchange.
  public internal(set) var pongs = 0
  /// Clients dropped because they did not answer pings.
  public internal(set) var silentClients = 0
  /// Clients dropped because too much waited for them.
  public internal(set) var slowClients = 0
  /// How often each kind of fault was worked, by itself or by plan.
  public internal(set) var faults: [FaultKind: Int] = [:]
  /// The most attempts of one address in five minutes.
  public internal(set) var mostAttempts = 0
  /// The most messages, pings and pongs of one client in a second.
  public internal(set) var mostClientMessages = 0
  /// Clients refused or dropped because they broke a rule, where the rules are enforced.
  public internal(set) var violations: [HouseRules.Rule: Int] = [:]
}
