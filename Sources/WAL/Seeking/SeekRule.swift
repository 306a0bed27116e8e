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
          ? "\(consumer) cannot go on at offset \(offset): no ticks are kept, so \(head.next), behind the head, is the only one"
          : "\(consumer) cannot go on at offset \(offset): from \(oldest), the oldest tick kept, to \(head.next), behind the head, is possible"
      )
    }
    let landing = batch?.range.lowerBound ?? offset
    if let batch, landing < oldest, !batch.isOpen {
      throw SeekError(
        .trimmedBatch,
        "offset \(offset) is in the batch \(landing) to \(batch.range.upperBound) of \(consumer), of which only ticks from \(oldest) on are kept: from \(batch.range.upperBound.next) on is possible"
      )
    }
    guard landing <= next || request.maySkip else {
      throw SeekError(
        .needsSkip,
        "\(consumer) reads offset \(next) next: to go on at \(landing) it must pass over \(next.distance(to: landing)) ticks, never to be delivered; give --skip if that is meant"
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
