import Base
import Ticks

/// The members of an event that may be ids, by where they begin in the message: they are read only where the event's
/// type says that they are ids. Small, because every event carries one about.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams and
/// https://developers.binance.com/docs/derivatives, "How to manage a local order book correctly"
struct EventIDs: Equatable {
  /// `U` and `u`, of a depthUpdate: the first and the last. All are 0 where there is none.
  private var first: UInt32 = 0
  private var last: UInt32 = 0
  /// `pu`, of a depthUpdate of futures: the last one of the event before, there not `U` - 1.
  private var previous: UInt32 = 0
  /// `a`, of an aggTrade.
  private var aggregate: UInt32 = 0
  /// `t`, of a trade.
  private var trade: UInt32 = 0
  /// `X`: futures' trades have it, and leave ids out.
  private var hasOrderType = false

  mutating func take(first value: JSONValue) { first = Self.place(value) }
  mutating func take(last value: JSONValue) { last = Self.place(value) }
  mutating func take(previous value: JSONValue) {
    previous = UInt32(truncatingIfNeeded: value.range.lowerBound)
  }
  mutating func take(aggregate value: JSONValue) { aggregate = Self.place(value) }
  mutating func take(trade value: JSONValue) { trade = Self.place(value) }
  mutating func takeOrderType() { hasOrderType = true }

  /// No message has as many bytes as the number holds.
  private static func place(_ value: JSONValue) -> UInt32 {
    value.kind == .number ? UInt32(truncatingIfNeeded: value.range.lowerBound) : 0
  }

  /// - Returns: nil if there stands none, or no whole number from 0 on.
  private func id(_ place: UInt32, in bytes: UnsafeBufferPointer<UInt8>) -> Int64? {
    guard place > 0 else { return nil }
    let start = Int(place)
    let end =
      bytes[start...].firstIndex { !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ?? bytes.endIndex
    // A sign, or none of a number at all; a fraction or an exponent goes on.
    guard end > start else { return nil }
    if end < bytes.endIndex, [UInt8(ascii: "."), UInt8(ascii: "e"), UInt8(ascii: "E")].contains(bytes[end]) {
      return nil
    }
    return bytes.integer(JSONValue(range: start..<end, kind: .number, hasEscapes: false))
  }

  /// - Parameters:
  ///   - type: `e`.
  ///   - stream: as the exchange names it.
  /// - Returns: nil if events of such a stream have no ids that follow one another, or this one has none.
  func step(
    of type: JSONValue?, on stream: UnsafeBufferPointer<UInt8>, in bytes: UnsafeBufferPointer<UInt8>
  ) -> IDStep? {
    // Most events end here.
    guard last | aggregate | trade != 0, let type else { return nil }
    if last != 0, bytes.isEqual(type, to: "depthUpdate") {
      guard StreamKind.isDiffDepth(stream), let last = id(last, in: bytes) else { return nil }
      if previous != 0 { return id(previous, in: bytes).flatMap { IDStep(after: $0, last: last) } }
      return id(first, in: bytes).flatMap { IDStep(after: $0 - 1, last: last) }
    }
    if aggregate != 0, bytes.isEqual(type, to: "aggTrade") {
      return id(aggregate, in: bytes).flatMap { IDStep(after: $0 - 1, last: $0) }
    }
    if trade != 0, !hasOrderType, bytes.isEqual(type, to: "trade") {
      return id(trade, in: bytes).flatMap { IDStep(after: $0 - 1, last: $0) }
    }
    return nil
  }
}

extension IDStep {
  /// The ids of a tick as the log has it; nil if it has none.
  package init?(stream: UnsafeRawBufferPointer, payload: UnsafeRawBufferPointer) {
    let name = stream.bindMemory(to: UInt8.self)
    guard StreamKind(name) != .others else { return nil }
    let bytes = payload.bindMemory(to: UInt8.self)
    var scanner = JSONScanner(bytes)
    // What is no JSON came in before the log took JSON alone, or is damaged: the checksum tells of it.
    guard let event = try? EventOutline(&scanner, bytes),
      let step = event.ids.step(of: event.type, on: name, in: bytes)
    else { return nil }
    self = step
  }
}
