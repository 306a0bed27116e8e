import AWS
import Base
import Ticks
import WAL

/// Text, gzip and hash of one batch, made row by row. Decides where a batch must be cut; when a quiet stream
/// has waited long enough is its owner's business.
struct BatchBuilder: ~Copyable {
  /// The outcome for a row that was offered.
  enum Outcome {
    /// It is in; more may follow.
    case taken
    /// It is in, and the batch is full.
    case full
    /// It belongs to the next batch.
    case cutBefore
  }

  private let settings: ObjectSettings
  private let first: Offset
  private var end: Offset
  private(set) var rows = 0
  private var bad: [TickPage.BadRow] = []
  private var textBytes = 0
  private var hour: Int64?
  private var firstReceivedAt: Int64?
  private var sha256 = SHA256()
  private var deflate: Deflate?
  private var plain: [UInt8] = []
  /// Rows that were taken and neither hashed nor compressed yet: zlib is quicker with more at a time.
  private var pending: [UInt8] = []
  private static let pendingBytes = 32 << 10

  /// - Parameter first: the offset of the batch's first tick.
  init(first: Offset, settings: ObjectSettings) {
    self.settings = settings
    self.first = first
    end = first
    if case .gzip(let level) = settings.compression { deflate = Deflate(level: level) }
  }

  /// The offset that must be offered next.
  var next: Offset { end }
  var isEmpty: Bool { end == first }
  /// The number of rows that it may still take.
  var room: Int { settings.maximumRows - first.distance(to: end) }

  /// Offers the tick at `next`.
  ///
  /// - Parameter respectsLimits: `false` for a batch whose range is fixed already.
  mutating func add(
    receivedAt: Int64, stream: UnsafeBufferPointer<UInt8>, payload: UnsafeBufferPointer<UInt8>,
    respectsLimits: Bool = true
  ) -> Outcome {
    let start = pending.count
    do throws(JSONError) {
      RowEncoder.append(
        try TickEvent(stream: stream, payload: payload, receivedAt: receivedAt), to: &pending)
    } catch {
      // Only a log that something else wrote to holds such a row.
      return addBad(TickPage.BadRow(offset: end, cause: error.description, payload: Array(payload)))
    }
    let rowBytes = pending.count - start
    let rowHour = Timestamp.hour(microseconds: receivedAt)
    if respectsLimits, rows > 0, rowHour != hour || textBytes + rowBytes > settings.maximumBytes {
      pending.removeLast(rowBytes)
      return .cutBefore
    }
    hour = rowHour
    firstReceivedAt = firstReceivedAt ?? receivedAt
    rows += 1
    textBytes += rowBytes
    if pending.count >= Self.pendingBytes { flush() }
    return advance()
  }

  /// Takes note of a row that cannot be shipped.
  mutating func addBad(_ row: TickPage.BadRow) -> Outcome {
    bad.append(row)
    return advance()
  }

  private mutating func flush() {
    pending.withUnsafeBufferPointer { pending in
      sha256.update(UnsafeRawBufferPointer(pending))
      if deflate == nil { plain.append(contentsOf: pending) } else { deflate?.add(pending) }
    }
    pending.removeAll(keepingCapacity: true)
  }

  private mutating func advance() -> Outcome {
    end = end.next
    return first.distance(to: end) >= settings.maximumRows ? .full : .taken
  }

  /// Ends the batch, which must not be empty.
  consuming func finish() -> BuiltBatch {
    flush()
    deflate?.finish()
    let isCompressed = deflate != nil
    return BuiltBatch(
      range: first...end.previous, rows: rows, bad: bad, firstReceivedAt: firstReceivedAt,
      sha256: sha256.finish().hex, body: isCompressed ? deflate?.output ?? [] : plain,
      isCompressed: isCompressed)
  }
}

/// A batch ready for its upload.
struct BuiltBatch: Sendable {
  let range: OffsetRange
  let rows: Int
  let bad: [TickPage.BadRow]
  /// Microseconds since 1970, UTC; `nil` without rows.
  let firstReceivedAt: Int64?
  /// Of the uncompressed text, lower-case hex.
  let sha256: String
  /// As it is uploaded.
  let body: [UInt8]
  let isCompressed: Bool
}
