import AWS
import Base
import Ticks

/// The attributes of a tick's item, as both tables write them.
struct ItemAttributes {
  /// The raw value is the place among all of them; the first two are the item's key.
  enum Name: Int, CaseIterable {
    case streamType, isoTimestamp, eventType, eventTime, symbol, closePrice, openPrice, highPrice, lowPrice
    case volume, quoteVolume, data, ttlDays

    var text: String { Self.texts[rawValue] }

    private static let texts = [
      "stream_type", "iso_timestamp", "event_type", "event_time", "symbol", "close_price", "open_price",
      "high_price", "low_price", "total_traded_volume", "total_traded_base_asset_volume", "data", "ttl_days",
    ]

    /// N or S, as DynamoDB calls them.
    var isNumber: Bool {
      switch self {
      case .eventTime, .closePrice, .openPrice, .highPrice, .lowPrice, .volume, .quoteVolume, .ttlDays: true
      default: false
      }
    }
  }

  enum Value {
    /// UTF-8.
    case text(UnsafeBufferPointer<UInt8>)
    /// The inside of a JSON string, escapes and all.
    case json(UnsafeBufferPointer<UInt8>)
    case integer(Int64)
  }

  let event: TickEvent
  /// Epoch seconds.
  let ttl: Int64
  private let sortKey: [UInt8]
  /// A miniTicker whose prices and volumes the table can hold: they are attributes of their own.
  private let hasNumbers: Bool

  init(_ event: TickEvent, retentionDays: Int) {
    self.event = event
    hasNumbers = ItemAttributes.hasNumbers(event)
    ttl = ItemAttributes.ttl(receivedAt: event.receivedAt, retentionDays: retentionDays)
    sortKey = ItemAttributes.sortKey(event, hasNumbers: hasNumbers)
  }

  private static func hasNumbers(_ event: TickEvent) -> Bool {
    guard event.isMiniTicker else { return false }
    func holds(_ token: JSONValue?) -> Bool {
      token.map { DynamoNumber.holds(event.payload[$0.contents]) } ?? false
    }
    let fields = event.fields
    return holds(fields.close) && holds(fields.open) && holds(fields.high) && holds(fields.low)
      && holds(fields.volume) && holds(fields.quoteVolume)
  }

  /// From the time of receipt and not from now, so that a retry or a replay writes the same item.
  ///
  /// - Parameter receivedAt: microseconds since 1970, UTC.
  /// - Returns: epoch seconds.
  static func ttl(receivedAt: Int64, retentionDays: Int) -> Int64 {
    Timestamp.milliseconds(microseconds: receivedAt) / 1_000 + Int64(retentionDays) * 86_400
  }

  /// The two that make the item's key.
  func visitKey(_ visit: (Name, Value) -> Void) {
    visit(.streamType, .text(event.stream))
    sortKey.withUnsafeBufferPointer { visit(.isoTimestamp, .text($0)) }
  }

  /// Of the key; another one in each process.
  var keyHash: Int {
    var hasher = Hasher()
    visitKey { _, value in
      guard case .text(let text) = value else { return }
      hasher.combine(text.count)
      hasher.combine(bytes: UnsafeRawBufferPointer(text))
    }
    return hasher.finalize()
  }

  /// All the others that this event has.
  func visitRest(_ visit: (Name, Value) -> Void) {
    let fields = event.fields
    if let type = event.type {
      visit(.eventType, json(type))
    } else if let type = event.typeFromStream {
      visit(.eventType, .text(type))
    }
    visit(.eventTime, .integer(event.time))
    if let symbol = event.symbol { visit(.symbol, json(symbol)) }
    if hasNumbers {
      func number(_ name: Name, _ token: JSONValue?) {
        if let token { visit(name, json(token)) }
      }
      number(.closePrice, fields.close)
      number(.openPrice, fields.open)
      number(.highPrice, fields.high)
      number(.lowPrice, fields.low)
      number(.volume, fields.volume)
      number(.quoteVolume, fields.quoteVolume)
    } else {
      visit(.data, .text(event.payload))
    }
    visit(.ttlDays, .integer(ttl))
  }

  private func json(_ token: JSONValue) -> Value {
    .json(UnsafeBufferPointer(rebasing: event.payload[token.contents]))
  }

  // MARK: Sort key

  /// The time; for other events than miniTickers with numbers also what tells two of one millisecond apart.
  private static func sortKey(_ event: TickEvent, hasNumbers: Bool) -> [UInt8] {
    var key: [UInt8] = []
    key.reserveCapacity(48)
    Timestamp.appendDashed(microseconds: event.isoTime, to: &key)
    guard !hasNumbers else { return key }
    key.append(UInt8(ascii: "#"))
    if let id = exchangeID(event) {
      key.append(contentsOf: event.payload[id])
    } else {
      var hash = SHA256()
      hash.update(UnsafeRawBufferPointer(event.payload))
      key.append(contentsOf: hash.finish().hex.utf8.prefix(16))
    }
    return key
  }

  /// The place of the exchange's own id of the event: the digits of `t`, `a` or `u`.
  private static func exchangeID(_ event: TickEvent) -> Range<Int>? {
    let type =
      event.type.map { UnsafeBufferPointer(rebasing: event.payload[$0.contents]) } ?? event.typeFromStream
    guard let type else { return nil }
    let id: JSONValue?
    if type.elementsEqual("trade".utf8) {
      id = event.fields.tradeID
    } else if type.elementsEqual("aggTrade".utf8) {
      id = event.fields.aggregateTradeID
    } else if type.elementsEqual("depthUpdate".utf8) || type.elementsEqual("bookTicker".utf8) {
      id = event.fields.updateID
    } else {
      return nil
    }
    guard let id, event.payload.integer(id) != nil else { return nil }
    return id.range
  }
}
