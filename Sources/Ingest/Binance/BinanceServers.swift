/// Binance's servers and the entrances that they have.
enum BinanceServers {
  static let production = "wss://stream.binance.com:9443"
  static let test = "wss://stream.testnet.binance.vision"

  /// Paths of a server that has several entrances; the list of streams goes behind them:
  /// `/market/stream?streams=…`.
  ///
  /// Reference: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
  static let entrances: Set<Substring> = ["/market", "/public"]
}
