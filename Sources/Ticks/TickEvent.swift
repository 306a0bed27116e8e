import Base

/// One tick, opened up as far as the sinks need it. Refers to bytes that the caller keeps.
package struct TickEvent {
  /// Such as `btcusdt@miniTicker`, UTF-8.
  package let stream: UnsafeBufferPointer<UInt8>
  /// The event's JSON as received.
  package let payload: UnsafeBufferPointer<UInt8>
  /// Microseconds since 1970, UTC.
  package let receivedAt: Int64
  package let fields: EventFields
  /// Milliseconds since 1970, UTC: the event's own time, or that of its receipt if it has none that four
  /// digits of a year can say.
  package let time: Int64
  /// The same moment in microseconds.
  package let isoTime: Int64
  /// `s`, if it is a string; in a forceOrder that of its order.
  package let symbol: JSONValue?
  /// Every member of a miniTicker is there, prices and volumes as strings: it gets columns of its own.
  package let isMiniTicker: Bool

  /// - Throws: if the payload is not one JSON object.
  package init(
    stream: UnsafeBufferPointer<UInt8>, payload: UnsafeBufferPointer<UInt8>, receivedAt: Int64
  ) throws(JSONError) {
    self.stream = stream
    self.payload = payload
    self.receivedAt = receivedAt
    fields = try EventFields(payload: payload)
    let own = fields.time.flatMap { payload.integer($0) }.flatMap { EventTime($0) }
    time = own?.milliseconds ?? Timestamp.milliseconds(microseconds: receivedAt)
    isoTime = own?.microseconds ?? receivedAt
    isMiniTicker = own != nil && TickEvent.isMiniTicker(fields, payload)
    if let own = fields.symbol, own.kind == .string {
      symbol = own
    } else {
      symbol = try TickEvent.orderSymbol(fields, payload)
    }
  }

  private static func isMiniTicker(_ fields: EventFields, _ payload: UnsafeBufferPointer<UInt8>) -> Bool {
    func isString(_ value: JSONValue?) -> Bool { value?.kind == .string }
    guard isType("24hrMiniTicker", fields, payload) else { return false }
    return isString(fields.symbol) && isString(fields.close) && isString(fields.open)
      && isString(fields.high) && isString(fields.low) && isString(fields.volume)
      && isString(fields.quoteVolume)
  }

  private static func isType(
    _ type: StaticString, _ fields: EventFields, _ payload: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    guard let own = fields.type, own.kind == .string, !own.hasEscapes else { return false }
    return type.withUTF8Buffer { $0.elementsEqual(payload[own.contents]) }
  }

  private static func orderSymbol(
    _ fields: EventFields, _ payload: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) -> JSONValue? {
    guard let order = fields.open, order.kind == .object, isType("forceOrder", fields, payload) else {
      return nil
    }
    let inner = try EventFields(payload: UnsafeBufferPointer(rebasing: payload[order.range])).symbol
    guard let inner, inner.kind == .string else { return nil }
    let start = inner.range.lowerBound + order.range.lowerBound
    return JSONValue(range: start..<start + inner.range.count, kind: .string, hasEscapes: inner.hasEscapes)
  }

  /// The kind of event that the stream's name tells: `bookTicker` in `btcusdt@bookTicker`, `depth` in
  /// `btcusdt@depth@100ms`.
  package var typeFromStream: UnsafeBufferPointer<UInt8>? {
    guard let at = stream.firstIndex(of: UInt8(ascii: "@")) else { return nil }
    let rest = stream[(at + 1)...]
    let kind = rest.prefix { $0 != UInt8(ascii: "@") }
    return kind.isEmpty ? nil : UnsafeBufferPointer(rebasing: kind)
  }

  /// `e`, if it is a string.
  package var type: JSONValue? { fields.type.flatMap { $0.kind == .string ? $0 : nil } }
}
