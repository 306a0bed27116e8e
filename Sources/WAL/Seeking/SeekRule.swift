import Base

/// The rule where a consumer may be moved to: a pure value.
struct SeekRule: Equatable {
  /// A batch that was planned once: its range never changes.
  struct Batch: Equatable {
    let range: OffsetRange
    /// Planned and not confirmed: its ticks are there, also where others are trimmed.
    let isOpen: Bool
    let hasObject: Bool
  }

  let consumer: ConsumerName
  /// The offset that it reads next.
  let next: Offset
  let head: Offset
  /// The oldest tick kept; behind the head in a log without ticks.
  let oldest: Offset

  /// - Parameter batch: the consumer's that holds the offset, if one does.
  /// - Returns: what the consumer is to read next: a batch is delivered whole.
  func landing(of request: SeekRequest, in batch: Batch?) throws(SeekError) -> Offset {
    let offset = request.offset
    guard oldest <= offset, offset <= head.next else {
      throw SeekError(
        .outOfBounds,
        oldest > head
          ? "\(consumer) cannot go on at offset \(Figures.grouped(offset)): no ticks are kept, so \(Figures.grouped(head.next)), behind the head, is the only one"
          : "\(consumer) cannot go on at offset \(Figures.grouped(offset)): from \(Figures.grouped(oldest)), the oldest tick kept, to \(Figures.grouped(head.next)), behind the head, is possible"
      )
    }
    let landing = batch?.range.lowerBound ?? offset
    if let batch, landing < oldest, !batch.isOpen {
      throw SeekError(
        .trimmedBatch,
        "offset \(Figures.grouped(offset)) is in the batch \(Figures.grouped(landing)) to \(Figures.grouped(batch.range.upperBound)) of \(consumer), of which only ticks from \(Figures.grouped(oldest)) on are kept: from \(Figures.grouped(batch.range.upperBound.next)) on is possible"
      )
    }
    guard landing <= next || request.maySkip else {
      throw SeekError(
        .needsSkip,
        "\(consumer) reads offset \(Figures.grouped(next)) next: to go on at \(Figures.grouped(landing)) it must pass over \(Figures.counted(next.distance(to: landing), "tick")), never to be delivered; give --skip if that is meant"
      )
    }
    return landing
  }

  static func unknown(_ consumer: ConsumerName, among consumers: [Consumer]) -> SeekError {
    let names = consumers.map(\.name.rawValue).joined(separator: ", ")
    return SeekError(
      .unknownConsumer,
      "there is no consumer '\(consumer)' in the log: "
        + (names.isEmpty ? "it has none yet" : "it has \(names)"))
  }
}
