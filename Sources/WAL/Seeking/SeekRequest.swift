/// A request that a consumer go on at another offset.
package struct SeekRequest: Sendable, Equatable {
  package let consumer: ConsumerName
  package let offset: Offset
  /// Whether ticks may be passed over.
  package let maySkip: Bool

  package init(consumer: ConsumerName, offset: Offset, maySkip: Bool = false) {
    self.consumer = consumer
    self.offset = offset
    self.maySkip = maySkip
  }
}

/// The outcome of a seek: what it did, or would do.
package struct SeekOutcome: Sendable, Equatable {
  package let consumer: ConsumerName
  package let isEnabled: Bool
  package let requested: Offset
  /// The offset that the consumer read next before.
  package let from: Offset
  /// The offset that it reads next now: where the batch begins that holds what was requested.
  package let to: Offset
  /// Backwards: frozen batches to be delivered again. Forwards: batches that were open and are passed over.
  package let batches: Int
  /// Dead letters whose ticks are tried again.
  package let deadLetters: Int

  package var isForwards: Bool { to > from }
  /// Ticks to be delivered again, or passed over.
  package var ticks: Int { abs(from.distance(to: to)) }
}

/// Why a consumer was not moved.
package struct SeekError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Code: Sendable, Equatable {
    case unknownConsumer
    /// Below the oldest tick kept, or above the head's next.
    case outOfBounds
    /// In a batch that has lost its first ticks.
    case trimmedBatch
    /// The contents of the objects of some ticks are not known any more: they could end up in two.
    case lostBatches
    /// Ticks would be passed over, and that was not asked for.
    case needsSkip
  }

  package let code: Code
  /// The reason, and what is allowed instead.
  package let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
