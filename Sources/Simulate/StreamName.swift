/// A kind of stream that the simulated exchange serves, understood from the stream's name.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
enum StreamKind: Equatable, Sendable {
  case miniTicker
  case ticker
  case trade
  case aggregateTrade
  case bookTicker
  /// Each second, or each 100 ms.
  case depth(isFast: Bool)
  case kline(interval: KlineInterval)
  /// `!miniTicker@arr`: one message holding an event for every symbol.
  case allMiniTickers

  /// The kind and symbol (upper case, empty for array streams) in a name such as `btcusdt@miniTicker`.
  /// Nil for a name the exchange knows nothing of: it takes the subscription and never sends anything.
  static func parse(_ name: String) -> (kind: StreamKind, symbol: String)? {
    if name == "!miniTicker@arr" { return (.allMiniTickers, "") }
    guard let at = name.firstIndex(of: "@"), at != name.startIndex else { return nil }
    let symbol = name[..<at]
    // Binance's names are lower case; with another case the subscription stays silent there, too.
    guard symbol.utf8.allSatisfy({ isLowerCaseOrDigit($0) }) else { return nil }
    let upper = symbol.uppercased()
    switch name[name.index(after: at)...] {
    case "miniTicker": return (.miniTicker, upper)
    case "ticker": return (.ticker, upper)
    case "trade": return (.trade, upper)
    case "aggTrade": return (.aggregateTrade, upper)
    case "bookTicker": return (.bookTicker, upper)
    case "depth": return (.depth(isFast: false), upper)
    case "depth@100ms": return (.depth(isFast: true), upper)
    case let rest where rest.hasPrefix("kline_"):
      return KlineInterval(rawValue: String(rest.dropFirst(6))).map { (.kline(interval: $0), upper) }
    default: return nil
    }
  }

  /// Whether its events are numbered one after the other, so that a hole shows.
  func isNumbered(isFutures: Bool) -> Bool {
    switch self {
    case .aggregateTrade, .depth: true
    case .trade: !isFutures
    default: false
    }
  }

  /// The kind's own word in a stream's name: `depth` in `btcusdt@depth@100ms`, `kline` in `btcusdt@kline_1m`.
  static func word(in name: String) -> Substring {
    let rest = name.drop { $0 != "@" }.dropFirst()
    return rest.prefix { $0 != "_" && $0 != "@" }
  }

  private static func isLowerCaseOrDigit(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }
}

/// The candle lengths that the simulated exchange serves.
enum KlineInterval: String, Sendable {
  case second = "1s"
  case minute = "1m"
  case fiveMinutes = "5m"
  case quarterHour = "15m"
  case hour = "1h"
  case day = "1d"

  var milliseconds: Int64 {
    switch self {
    case .second: 1_000
    case .minute: 60_000
    case .fiveMinutes: 300_000
    case .quarterHour: 900_000
    case .hour: 3_600_000
    case .day: 86_400_000
    }
  }
}
