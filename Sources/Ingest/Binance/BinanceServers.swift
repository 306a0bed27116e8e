/// Binance's servers and the entrances that they have.
enum BinanceServers {
  static let production = "wss://stream.binance.com:9443"
  static let test = "wss://stream.testnet.binance.vision"

  /// Paths of a server that has several entrances; the list of streams goes behind them:
  /// `/market/stream?streams=…`.
  ///
  /// Reference: https://developers.binance.com/docs/derivatives/usds-margined-futures/websocket-market-streams
  private static let entrances: Set<Substring> = ["", "/market", "/public"]

  /// The part of a path behind which `/stream` takes a list of streams: all of it, or what is before the `/ws` or
  /// `/stream` that client libraries want at its end. Nil for a path of another kind, which may name streams.
  static func base(of path: String) -> (path: Substring, isWhole: Bool)? {
    let path = path.hasSuffix("/") ? path.dropLast() : path[...]
    if entrances.contains(path) { return (path, true) }
    for end in ["/ws", "/stream"] where path.hasSuffix(end) { return (path.dropLast(end.count), false) }
    return nil
  }
}
