import Base
import Ticks
import WAL

/// The form in which ticks are written, one a line.
package enum TickForm: String, CaseIterable, Sendable {
  /// The row that goes into objects.
  case row
  /// The event as the exchange sent it; of a line feed between its parts a space is made.
  case payload
}

/// Ticks of the log as lines. Pure.
package struct TickLines: Sendable {
  package let form: TickForm
  package private(set) var bytes: [UInt8] = []

  package init(_ form: TickForm) {
    self.form = form
  }

  package mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }

  /// Appends one tick with its line feed.
  ///
  /// - Parameter texts: the bytes of the tick's batch.
  /// - Throws: `JSONError` for a payload that is no event.
  package mutating func append(
    _ entry: TickBatch.Entry, in texts: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) {
    let payload = UnsafeBufferPointer(rebasing: texts[entry.payload])
    switch form {
    case .row:
      let event = try TickEvent(
        stream: UnsafeBufferPointer(rebasing: texts[entry.stream]), payload: payload,
        receivedAt: entry.receivedAt)
      RowEncoder.append(event, to: &bytes)
    case .payload:
      let (lineFeed, carriageReturn) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"))
      // JSON has them between its parts alone.
      bytes.append(
        contentsOf: payload.lazy.map { $0 == lineFeed || $0 == carriageReturn ? UInt8(ascii: " ") : $0 })
      bytes.append(lineFeed)
    }
  }
}
