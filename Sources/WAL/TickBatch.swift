/// Ticks one after another, their texts in one buffer: what the log takes and what it gives back,
/// without a heap object for each tick.
package struct TickBatch: Sendable {
  /// One tick's times and where its texts lie in `bytes`.
  package struct Entry: Sendable, Equatable {
    /// Microseconds since 1970, UTC.
    package var receivedAt: Int64
    /// Milliseconds since 1970, UTC; `nil` if the event has none.
    package var eventTime: Int64?
    package var stream: Range<Int>
    package var payload: Range<Int>
  }

  package private(set) var bytes: [UInt8] = []
  package private(set) var entries: [Entry] = []

  package init() {}

  package var count: Int { entries.count }
  package var isEmpty: Bool { entries.isEmpty }
  /// The size that counts against the log's queue.
  package var byteCount: Int { bytes.count }

  package mutating func reserveCapacity(ticks: Int, bytes: Int) {
    entries.reserveCapacity(ticks)
    self.bytes.reserveCapacity(bytes)
  }

  /// Copies one tick in.
  /// - Parameters:
  ///   - receivedAt: microseconds since 1970, UTC.
  ///   - eventTime: milliseconds since 1970, UTC.
  ///   - stream: such as `btcusdt@miniTicker`, UTF-8.
  ///   - payload: the event's JSON, byte for byte as received.
  package mutating func append(
    receivedAt: Int64, eventTime: Int64?, stream: UnsafeBufferPointer<UInt8>,
    payload: UnsafeBufferPointer<UInt8>
  ) {
    let streamStart = bytes.count
    bytes.append(contentsOf: stream)
    let payloadStart = bytes.count
    bytes.append(contentsOf: payload)
    entries.append(
      Entry(
        receivedAt: receivedAt, eventTime: eventTime, stream: streamStart..<payloadStart,
        payload: payloadStart..<bytes.count))
  }

  /// For callers off the hot path, tests above all.
  package mutating func append(receivedAt: Int64, eventTime: Int64?, stream: String, payload: String) {
    var stream = stream
    var payload = payload
    stream.withUTF8 { stream in
      payload.withUTF8 { payload in
        append(receivedAt: receivedAt, eventTime: eventTime, stream: stream, payload: payload)
      }
    }
  }

  /// Copies a tick of another batch in.
  package mutating func append(_ tick: Entry, of other: TickBatch) {
    let streamStart = bytes.count
    bytes.append(contentsOf: other.bytes[tick.stream])
    let payloadStart = bytes.count
    bytes.append(contentsOf: other.bytes[tick.payload])
    entries.append(
      Entry(
        receivedAt: tick.receivedAt, eventTime: tick.eventTime, stream: streamStart..<payloadStart,
        payload: payloadStart..<bytes.count))
  }

  /// Copies all ticks of another batch in, in order.
  package mutating func append(_ other: TickBatch) {
    if isEmpty {
      self = other
      return
    }
    let shift = bytes.count
    bytes.append(contentsOf: other.bytes)
    entries.reserveCapacity(entries.count + other.count)
    for tick in other.entries {
      entries.append(
        Entry(
          receivedAt: tick.receivedAt, eventTime: tick.eventTime,
          stream: tick.stream.lowerBound + shift..<tick.stream.upperBound + shift,
          payload: tick.payload.lowerBound + shift..<tick.payload.upperBound + shift))
    }
  }

  package mutating func removeAll(keepingCapacity: Bool = false) {
    bytes.removeAll(keepingCapacity: keepingCapacity)
    entries.removeAll(keepingCapacity: keepingCapacity)
  }

  package func stream(of entry: Entry) -> String { String(decoding: bytes[entry.stream], as: UTF8.self) }
  package func payload(of entry: Entry) -> String { String(decoding: bytes[entry.payload], as: UTF8.self) }
}
