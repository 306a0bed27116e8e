/// The way in which a place that the exchange listens on treats its clients.
enum Welcome: Sendable {
  case market
  /// Each request is answered with 503.
  case unavailable
  /// Connections are taken, and nothing is ever said.
  case silence
}

extension ExchangeConfiguration {
  /// The places to listen on, the exchange's own first.
  var places: [(address: Address, welcome: Welcome)] {
    [(Address(host: host, port: port), .market)] + furtherAddresses.map { ($0, .market) }
      + deadAddresses.map { ($0, .silence) } + unavailableAddresses.map { ($0, .unavailable) }
  }
}

extension ExchangeConfiguration.Address {
  /// Port 0 becomes that of the first address, as a name with several addresses has one port, unless the host is
  /// the same.
  func onPort(of first: ExchangeConfiguration.Address?) -> ExchangeConfiguration.Address {
    guard let first, port == 0, host != first.host else { return self }
    return .init(host: host, port: first.port)
  }
}
