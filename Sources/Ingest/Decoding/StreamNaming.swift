import Ticks

/// Makes the name of an event's stream from the event, for messages that do not carry one.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
enum StreamNaming {
  /// `btcusdt@miniTicker` for a 24hrMiniTicker of BTCUSDT, appended to `name`; false if the event does not
  /// say enough.
  static func append(
    of event: EventOutline, in bytes: UnsafeBufferPointer<UInt8>, to name: inout [UInt8]
  ) -> Bool {
    guard let symbol = event.symbol, !symbol.contents.isEmpty else { return false }
    guard appendText(symbol, in: bytes, to: &name, lowerCased: true) else { return false }
    name.append(UInt8(ascii: "@"))
    guard let type = event.type else {
      // A spot bookTicker has no type.
      guard event.quote == .all else { return false }
      append("bookTicker", to: &name)
      return true
    }
    if bytes.isEqual(type, to: "kline") {
      guard let interval = event.interval, !interval.contents.isEmpty else { return false }
      append("kline_", to: &name)
      return appendText(interval, in: bytes, to: &name, lowerCased: false)
    }
    if let known = known(type, in: bytes) {
      append(known, to: &name)
      return true
    }
    return !type.contents.isEmpty && appendText(type, in: bytes, to: &name, lowerCased: false)
  }

  /// Types whose stream is called otherwise; all others (trade, aggTrade, bookTicker …) are called as they are.
  private static func known(_ type: JSONValue, in bytes: UnsafeBufferPointer<UInt8>) -> StaticString? {
    if bytes.isEqual(type, to: "24hrMiniTicker") { return "miniTicker" }
    if bytes.isEqual(type, to: "24hrTicker") { return "ticker" }
    if bytes.isEqual(type, to: "depthUpdate") { return "depth" }
    if bytes.isEqual(type, to: "1hTicker") { return "ticker_1h" }
    if bytes.isEqual(type, to: "4hTicker") { return "ticker_4h" }
    if bytes.isEqual(type, to: "1dTicker") { return "ticker_1d" }
    if bytes.isEqual(type, to: "markPriceUpdate") { return "markPrice" }
    return nil
  }

  private static func append(_ text: StaticString, to name: inout [UInt8]) {
    name.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  /// ASCII letters alone are lower-cased, as the exchange's symbols have no others with case.
  private static func appendText(
    _ string: JSONValue, in bytes: UnsafeBufferPointer<UInt8>, to name: inout [UInt8], lowerCased: Bool
  ) -> Bool {
    let start = name.count
    if string.hasEscapes {
      guard let text = JSONString.text(UnsafeBufferPointer(rebasing: bytes[string.contents])) else {
        return false
      }
      name.append(contentsOf: text)
    } else {
      name.append(contentsOf: bytes[string.contents])
    }
    guard lowerCased else { return true }
    for place in start..<name.count
    where (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(name[place]) { name[place] |= 0x20 }
    return true
  }
}
