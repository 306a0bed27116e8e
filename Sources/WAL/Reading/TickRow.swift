/// One row of the ticks as it is stored; its texts are valid until the statement goes on.
///
/// Whoever reads ticks judges them here: shipping, `verify` and salvage.
package struct TickRow {
  package let offset: Offset
  package let receivedAt: Int64
  package let eventTime: Int64?
  package let stream: UnsafeRawBufferPointer
  package let payload: UnsafeRawBufferPointer
  /// `nil` if it is no number.
  package let checksum: Int64?
  /// Whether SQL sees what the bytes say; a text stored as a blob compares and opens up as something else.
  package let hasRightTypes: Bool

  /// A row takes at least so many bytes of the file.
  package static let leastBytes = 16

  /// In the order of the initializer that reads them.
  package static let columns = "offset, received_at, event_time, stream, payload, checksum"

  /// - Parameter statement: on a row of ``columns``.
  package init(_ statement: SQLiteStatement, at offset: Offset) {
    self.offset = offset
    receivedAt = statement.int(1)
    eventTime = statement.optionalInt(2)
    // Before the texts are asked for, because that may convert what is none.
    hasRightTypes =
      statement.isInteger(1) && (eventTime == nil || statement.isInteger(2)) && statement.isText(3)
      && statement.isText(4)
    stream = statement.bytes(3)
    payload = statement.bytes(4)
    checksum = statement.isInteger(5) ? statement.int(5) : nil
  }

  /// A row that was read without SQLite.
  package init(
    offset: Offset, receivedAt: Int64, eventTime: Int64?, stream: UnsafeRawBufferPointer,
    payload: UnsafeRawBufferPointer, checksum: Int64
  ) {
    self.offset = offset
    self.receivedAt = receivedAt
    self.eventTime = eventTime
    self.stream = stream
    self.payload = payload
    self.checksum = checksum
    hasRightTypes = true
  }

  /// Whether it is the tick that was appended: the checksum fits the bytes, whatever types they are stored under.
  package var isGood: Bool {
    checksum
      == Int64(
        Checksum.row(
          offset: offset, receivedAt: receivedAt, eventTime: eventTime, stream: stream, payload: payload))
  }
}
