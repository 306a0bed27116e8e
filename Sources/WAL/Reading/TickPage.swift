/// A bounded stretch of the log, as it was read: every offset of `range` is either in `ticks` or in `bad`.
package struct TickPage: Sendable {
  /// A row that is missing or whose checksum is wrong.
  package struct BadRow: Sendable, Equatable {
    package let offset: Offset
    package let cause: String
    /// The part of it that could be read.
    package let payload: [UInt8]

    package init(offset: Offset, cause: String, payload: [UInt8]) {
      self.offset = offset
      self.cause = cause
      self.payload = payload
    }
  }

  /// `nil` if there was nothing to read.
  package internal(set) var range: OffsetRange?
  package internal(set) var ticks = TickBatch()
  /// The offset of each tick.
  package internal(set) var offsets: [Offset] = []
  package internal(set) var bad: [BadRow] = []
  /// The log's head in the snapshot that was read.
  package internal(set) var head: Offset
}
