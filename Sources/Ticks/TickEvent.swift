/// One tick, opened up as far as the sinks need it. Refers to bytes that the caller keeps.
public struct TickEvent {
  /// Such as `btcusdt@miniTicker`, UTF-8.
  public let stream: UnsafeBufferPointer<UInt8>
  /// The event's JSON as received.
  public let payload: UnsafeBufferPointer<UInt8>
  /// Microseconds since 1970, UTC.
  public let receivedAt: Int64
  public let fields: EventFields
  /// Milliseconds since 1970, UTC: the event's own time, or that of its receipt if it has none that four
  /// digits of a year can say.
  public let time: Int64
  /// Microseconds since 1970, UTC.
  public let isoTime: Int64
  /// Every member of a miniTicker is there, prices and volumes as strings: it gets columns of its own.
  public let isMiniTicker: Bool

  /// - Throws: if the payload is not one JSON object.
  public init(
    stream: UnsafeBufferPointer<UInt8>, payload: UnsafeBufferPointer<UInt8>, receivedAt: Int64
  ) throws(JSONError) {
    self.stream = stream
    self.payload = payload
    self.receivedAt = receivedAt
    fields = try EventFields(payload: payload)
    let own = TickEvent.ownTime(fields, payload)
    time = own ?? Timestamp.milliseconds(microseconds: receivedAt)
    isoTime = own.map { $0 * 1_000 } ?? receivedAt
    isMiniTicker = own != nil && TickEvent.isMiniTicker(fields, payload)
  }

  /// `E`, if it is an integer that can be written as a date.
  private static func ownTime(_ fields: EventFields, _ payload: UnsafeBufferPointer<UInt8>) -> Int64? {
    guard let value = fields.time, let time = payload.integer(value) else { return nil }
    let (microseconds, overflows) = time.multipliedReportingOverflow(by: 1_000)
    return !overflows && Timestamp.representable.contains(microseconds) ? time : nil
  }

  private static func isMiniTicker(_ fields: EventFields, _ payload: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let type = fields.type, type.kind == .string, !type.hasEscapes,
      payload[type.contents].elementsEqual("24hrMiniTicker".utf8)
    else { return false }
    func isString(_ value: JSONValue?) -> Bool { value?.kind == .string }
    return isString(fields.symbol) && isString(fields.close) && isString(fields.open)
      && isString(fields.high) && isString(fields.low) && isString(fields.volume)
      && isString(fields.quoteVolume)
  }

  /// The kind of event that the stream's name tells: `bookTicker` in `btcusdt@bookTicker`, `depth` in
  /// `btcusdt@depth@100ms`.
  public var typeFromStream: UnsafeBufferPointer<UInt8>? {
    guard let at = stream.firstIndex(of: UInt8(ascii: "@")) else { return nil }
    let rest = stream[(at + 1)...]
    let kind = rest.prefix { $0 != UInt8(ascii: "@") }
    return kind.isEmpty ? nil : UnsafeBufferPointer(rebasing: kind)
  }

  /// `e`, if it is a string.
  public var type: JSONValue? { fields.type.flatMap { $0.kind == .string ? $0 : nil } }
  /// `s`, if it is a string.
  public var symbol: JSONValue? { fields.symbol.flatMap { $0.kind == .string ? $0 : nil } }
}
