import Base

/// The line that a tick becomes in an object, byte for byte as the old pipeline wrote it.
package enum RowEncoder {
  /// Appends the row and a line feed.
  package static func append(_ event: TickEvent, to out: inout [UInt8]) {
    out.append(UInt8(ascii: "{"))
    appendMembers(event, to: &out)
    out.append(UInt8(ascii: "}"))
    out.append(UInt8(ascii: "\n"))
  }

  /// Appends what is between the row's braces; never nothing.
  package static func appendMembers(_ event: TickEvent, to out: inout [UInt8]) {
    appendHead(event, to: &out)
    if event.isMiniTicker {
      appendPrices(event, to: &out)
    } else {
      appendKey(",\"data\":", to: &out)
      PythonJSON.appendCompact(event.payload, to: &out)
    }
  }

  private static func appendHead(_ event: TickEvent, to out: inout [UInt8]) {
    if let type = event.type {
      appendKey("\"event_type\":", to: &out)
      PythonJSON.appendToken(type, of: event.payload, to: &out)
      out.append(UInt8(ascii: ","))
    } else if let type = event.typeFromStream {
      appendKey("\"event_type\":", to: &out)
      PythonJSON.appendString(type, to: &out)
      out.append(UInt8(ascii: ","))
    }
    appendKey("\"event_time\":", to: &out)
    PythonJSON.appendInteger(event.time, to: &out)
    appendKey(",\"iso_timestamp\":\"", to: &out)
    Timestamp.appendDashed(microseconds: event.isoTime, to: &out)
    appendKey("\",\"stream_type\":", to: &out)
    PythonJSON.appendString(event.stream, to: &out)
    if let symbol = event.symbol {
      appendKey(",\"symbol\":", to: &out)
      PythonJSON.appendToken(symbol, of: event.payload, to: &out)
    }
  }

  private static func appendPrices(_ event: TickEvent, to out: inout [UInt8]) {
    let fields = event.fields
    append(fields.close, ",\"close_price\":", event, to: &out)
    append(fields.open, ",\"open_price\":", event, to: &out)
    append(fields.high, ",\"high_price\":", event, to: &out)
    append(fields.low, ",\"low_price\":", event, to: &out)
    append(fields.volume, ",\"total_traded_volume\":", event, to: &out)
    append(fields.quoteVolume, ",\"total_traded_base_asset_volume\":", event, to: &out)
  }

  private static func append(
    _ value: JSONValue?, _ key: StaticString, _ event: TickEvent, to out: inout [UInt8]
  ) {
    guard let value else { return }
    appendKey(key, to: &out)
    PythonJSON.appendToken(value, of: event.payload, to: &out)
  }

  private static func appendKey(_ key: StaticString, to out: inout [UInt8]) {
    key.withUTF8Buffer { out.append(contentsOf: $0) }
  }
}
