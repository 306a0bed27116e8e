import Base
import Ticks

/// The name of an event's stream, made from the event, for messages that do not carry one and for streams
/// that carry events of many symbols.
///
/// The name lacks what an event does not say: the speed (`@100ms`, `@1s`), the time zone of a kline, the
/// levels of a partial book on futures.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams and
/// https://developers.binance.com/docs/derivatives
enum StreamNaming {
  /// `btcusdt@miniTicker` for a 24hrMiniTicker of BTCUSDT, appended to `name`; false if the event does not
  /// say enough. Of parts that are too long for a name only so much is copied that the name is, too.
  static func append(
    of event: EventOutline, in bytes: UnsafeBufferPointer<UInt8>, to name: inout [UInt8]
  ) -> Bool {
    guard let type = event.type else {
      // A spot bookTicker has no type.
      guard event.quote == .all, let symbol = event.symbol else { return false }
      return append(symbol, "@bookTicker", nil, in: bytes, to: &name)
    }
    if let special = SpecialEvent(type, in: bytes) {
      let event = UnsafeBufferPointer(rebasing: bytes[event.range])
      return append(special, in: event, to: &name)
    }
    guard let symbol = event.symbol else { return false }
    if let known = known(type, in: bytes) { return append(symbol, known, nil, in: bytes, to: &name) }
    return !type.contents.isEmpty && append(symbol, "@", type, in: bytes, to: &name)
  }

  /// Types whose stream is called otherwise; all others (trade, aggTrade, bookTicker …) are called as they are.
  private static func known(_ type: JSONValue, in bytes: UnsafeBufferPointer<UInt8>) -> StaticString? {
    if bytes.isEqual(type, to: "24hrMiniTicker") { return "@miniTicker" }
    if bytes.isEqual(type, to: "24hrTicker") { return "@ticker" }
    if bytes.isEqual(type, to: "depthUpdate") { return "@depth" }
    if bytes.isEqual(type, to: "markPriceUpdate") { return "@markPrice" }
    if bytes.isEqual(type, to: "assetIndexUpdate") { return "@assetIndex" }
    if bytes.isEqual(type, to: "1hTicker") { return "@ticker_1h" }
    if bytes.isEqual(type, to: "4hTicker") { return "@ticker_4h" }
    if bytes.isEqual(type, to: "1dTicker") { return "@ticker_1d" }
    return nil
  }

  private static func append(
    _ special: SpecialEvent, in event: UnsafeBufferPointer<UInt8>, to name: inout [UInt8]
  ) -> Bool {
    guard let parts = special.parts(of: event), let subject = parts.subject else { return false }
    if let contract = parts.contract {
      guard append(subject, "_", nil, in: event, to: &name) else { return false }
      return append(contract, special.suffix, parts.interval, in: event, to: &name)
    }
    return append(subject, special.suffix, parts.interval, in: event, to: &name)
  }

  /// Appends a text in lower case, one as it is, and another.
  private static func append(
    _ subject: JSONValue, _ kind: StaticString, _ rest: JSONValue?, in bytes: UnsafeBufferPointer<UInt8>,
    to name: inout [UInt8]
  ) -> Bool {
    let start = name.count
    guard !subject.contents.isEmpty, appendText(subject, in: bytes, to: &name) else { return false }
    // ASCII letters alone, as the exchange's symbols have no others with case.
    for place in start..<name.count
    where (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(name[place]) { name[place] |= 0x20 }
    name.append(contentsOf: UnsafeBufferPointer(start: kind.utf8Start, count: kind.utf8CodeUnitCount))
    return rest.map { appendText($0, in: bytes, to: &name) } ?? true
  }

  private static func appendText(
    _ string: JSONValue, in bytes: UnsafeBufferPointer<UInt8>, to name: inout [UInt8]
  ) -> Bool {
    guard string.hasEscapes else {
      name.append(contentsOf: bytes[string.contents].prefix(StreamNameLimit.bytes + 1))
      return true
    }
    guard let text = JSONString.text(UnsafeBufferPointer(rebasing: bytes[string.contents])) else {
      return false
    }
    name.append(contentsOf: text.prefix(StreamNameLimit.bytes + 1))
    return true
  }
}
