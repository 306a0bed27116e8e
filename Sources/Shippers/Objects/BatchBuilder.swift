import AWS
import Base
import Synchronization
import Ticks
import WAL

/// Rows of one batch, made from ticks one by one. Decides where a batch must be cut; when a quiet stream has waited long
/// enough is its owner's business.
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
  private var packer: BatchPacker
  /// Rows that were taken and not given to the packer yet.
  private var pending: [UInt8] = []
  /// So many bytes wait for ``CutBatch/pack()``, which other cores can do: what is more is packed on the way, so that
  /// a huge batch is not held as text.
  private static let pendingBytes = 4 << 20
  private static let usualRowBytes = 384

  /// - Parameter first: the offset of the batch's first tick.
  init(first: Offset, settings: ObjectSettings) {
    self.settings = settings
    self.first = first
    end = first
    packer = BatchPacker(settings.compression)
    // Growing by and by would copy all of it as often again.
    let mostRows = Self.pendingBytes / Self.usualRowBytes
    pending.reserveCapacity(min(settings.maximumRows, mostRows) * Self.usualRowBytes)
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
    if pending.count >= Self.pendingBytes {
      packer.add(pending[...])
      pending.removeAll(keepingCapacity: true)
    }
    return advance()
  }

  /// Takes note of a row that cannot be shipped.
  mutating func addBad(_ row: TickPage.BadRow) -> Outcome {
    bad.append(row)
    return advance()
  }

  private mutating func advance() -> Outcome {
    end = end.next
    return first.distance(to: end) >= settings.maximumRows ? .full : .taken
  }

  /// Ends the batch, which must not be empty.
  consuming func cut() -> CutBatch {
    CutBatch(
      range: first...end.previous, rows: rows, bad: bad, firstReceivedAt: firstReceivedAt,
      packer: packer, pending: pending)
  }

  /// Ends and packs it.
  consuming func finish() -> BuiltBatch {
    packer.add(pending[...])
    return BuiltBatch(
      range: first...end.previous, rows: rows, bad: bad, firstReceivedAt: firstReceivedAt,
      packed: packer.finish())
  }
}

/// Hash and gzip of a batch's text.
struct BatchPacker: ~Copyable, Sendable {
  private var sha256 = SHA256()
  private var deflate: Deflate?
  private var plain: [UInt8] = []

  init(_ compression: ObjectSettings.Compression) {
    if case .gzip(let level) = compression { deflate = Deflate(level: level) }
  }

  mutating func add(_ text: ArraySlice<UInt8>) {
    text.withUnsafeBufferPointer { text in
      sha256.update(UnsafeRawBufferPointer(text))
      if deflate == nil { plain.append(contentsOf: text) } else { deflate?.add(text) }
    }
  }

  struct Packed {
    /// Of the uncompressed text, lower-case hex.
    let sha256: String
    let body: [UInt8]
    let isCompressed: Bool
  }

  consuming func finish() -> Packed {
    deflate?.finish()
    let isCompressed = deflate != nil
    return Packed(
      sha256: sha256.finish().hex, body: isCompressed ? deflate?.output ?? [] : plain,
      isCompressed: isCompressed)
  }
}

/// A batch whose rows are known; its hash and its body are made by tasks of their own, so that several are made at once.
final class CutBatch: Sendable {
  private struct Rest: ~Copyable {
    var packer: BatchPacker
    let pending: [UInt8]
  }

  let range: OffsetRange
  let rows: Int
  let bad: [TickPage.BadRow]
  /// Microseconds since 1970, UTC; `nil` without rows.
  let firstReceivedAt: Int64?
  private let rest: Mutex<Rest?>
  private let built = Latch<BuiltBatch>()

  init(
    range: OffsetRange, rows: Int, bad: [TickPage.BadRow], firstReceivedAt: Int64?,
    packer: consuming BatchPacker, pending: [UInt8]
  ) {
    self.range = range
    self.rows = rows
    self.bad = bad
    self.firstReceivedAt = firstReceivedAt
    rest = Mutex(Rest(packer: packer, pending: pending))
  }

  /// Text that is packed between two looks at what else the thread has to do: a millisecond or two.
  private static let turnBytes = 128 << 10

  /// Makes hash and body, or waits for whoever has begun to.
  ///
  /// - Throws: `CancellationError`, for who waits.
  func pack() async throws -> BuiltBatch {
    guard var rest = rest.withLock({ $0.take() }) else { return try await built.wait() }
    var text = rest.pending[...]
    while !text.isEmpty {
      rest.packer.add(text.prefix(Self.turnBytes))
      text = text.dropFirst(Self.turnBytes)
      if !text.isEmpty { await Task.yield() }
    }
    let batch = BuiltBatch(
      range: range, rows: rows, bad: bad, firstReceivedAt: firstReceivedAt, packed: rest.packer.finish())
    built.set(batch)
    return batch
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

  fileprivate init(
    range: OffsetRange, rows: Int, bad: [TickPage.BadRow], firstReceivedAt: Int64?, packed: BatchPacker.Packed
  ) {
    self.range = range
    self.rows = rows
    self.bad = bad
    self.firstReceivedAt = firstReceivedAt
    (sha256, body, isCompressed) = (packed.sha256, packed.body, packed.isCompressed)
  }
}
