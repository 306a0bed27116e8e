import Base
import WAL

/// Checks the batches of one consumer, given in order: that they follow one another without overlap, that open
/// ones lie before the consumer and shipped ones behind it, and that whatever it has passed is in one of them. Pure.
struct BatchCheck {
  struct Batch {
    let range: OffsetRange
    let rows: Int64
    let key: String
    let sha256: String
    let isShipped: Bool
  }

  private let consumer: String
  private let next: Offset
  private let head: Offset
  /// Ranges that the consumer has passed over, in order.
  private var skipped: ArraySlice<OffsetRange>
  /// Everything up to here is trimmed, in a batch, or skipped.
  private var covered: Offset
  private var last: Offset?

  /// - Parameters:
  ///   - next: what the consumer reads next.
  ///   - trimmed: batches up to here went with their ticks.
  init(consumer: String, next: Offset, head: Offset, trimmed: Offset, skipped: [OffsetRange]) {
    self.consumer = consumer
    self.next = next
    self.head = head
    self.skipped = skipped[...]
    covered = trimmed
  }

  mutating func add(_ batch: Batch, _ problems: inout LogProblems) -> [OffsetRange] {
    let range = batch.range
    let name = "batch \(range.lowerBound) to \(range.upperBound) of \(consumer)"
    func report(_ text: String) { problems.add(.batches, "\(name) \(text)", range) }
    if range.upperBound > head { report("ends after the head \(Figures.grouped(head))") }
    if let last, range.lowerBound <= last { report("overlaps the one that ends at \(Figures.grouped(last))") }
    last = max(last ?? .zero, range.upperBound)
    if range.lowerBound < next, range.upperBound >= next {
      report("is cut in two by what the consumer reads next, \(next)")
    } else if !batch.isShipped, range.lowerBound < next {
      report("is open, but the consumer has passed it: it reads \(next) next")
    }
    // One without an object stands for what is not to be delivered.
    if batch.isShipped, range.lowerBound >= next, !batch.key.isEmpty {
      report("is shipped, but the consumer is not past it: it reads \(next) next")
    }
    if batch.rows < 0 || batch.rows > Int64(range.length) { report("has \(batch.rows) rows") }
    if batch.rows > 0 {
      if !batch.key.contains("-\(range.lowerBound)-\(range.upperBound).") {
        report("has a key of other offsets: \(batch.key)")
      }
      if !batch.sha256.isHex(64) { report("has no SHA-256 but '\(batch.sha256)'") }
    } else if !batch.key.isEmpty, batch.rows == 0 {
      report("has an object but no rows")
    }
    let holes = pass(to: range.lowerBound.previous)
    covered = max(covered, range.upperBound)
    return holes
  }

  /// - Returns: as from ``add(_:_:)``, what was passed and is in no batch; it should be in dead letters.
  mutating func finish() -> [OffsetRange] { pass(to: next.previous) }

  private mutating func pass(to offset: Offset) -> [OffsetRange] {
    let offset = min(offset, next.previous, head)
    var holes: [OffsetRange] = []
    while covered < offset {
      while let range = skipped.first, range.upperBound <= covered { skipped.removeFirst() }
      guard let range = skipped.first, range.lowerBound <= offset else {
        holes.append(covered.next...offset)
        covered = offset
        break
      }
      if range.lowerBound > covered.next { holes.append(covered.next...range.lowerBound.previous) }
      covered = range.upperBound
    }
    return holes
  }
}

extension String {
  /// Whether it is so many lower-case hex digits.
  func isHex(_ count: Int) -> Bool {
    utf8.count == count
      && utf8.allSatisfy {
        ($0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9"))
          || ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "f"))
      }
  }
}
