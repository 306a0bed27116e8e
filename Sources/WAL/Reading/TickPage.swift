/// A bounded stretch of the log, as it was read: every offset of `range` is either in `ticks` or in `bad`.
public struct TickPage: Sendable {
  /// A row that is missing or whose checksum is wrong.
  public struct BadRow: Sendable, Equatable {
    public let offset: Offset
    public let cause: String
    /// What could be read of it.
    public let payload: [UInt8]

    public init(offset: Offset, cause: String, payload: [UInt8]) {
      self.offset = offset
      self.cause = cause
      self.payload = payload
    }
  }

  /// `nil` if there was nothing to read.
  public internal(set) var range: OffsetRange?
  public internal(set) var ticks = TickBatch()
  /// The offset of each tick.
  public internal(set) var offsets: [Offset] = []
  public internal(set) var bad: [BadRow] = []
  /// The log's head in the snapshot that was read.
  public internal(set) var head: Offset
}
