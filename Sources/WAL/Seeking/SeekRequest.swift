/// That a consumer is to go on at another offset.
public struct SeekRequest: Sendable, Equatable {
  public let consumer: ConsumerName
  public let offset: Offset
  /// Whether ticks may be passed over.
  public let maySkip: Bool

  public init(consumer: ConsumerName, offset: Offset, maySkip: Bool = false) {
    self.consumer = consumer
    self.offset = offset
    self.maySkip = maySkip
  }
}

/// What a seek did, or would do.
public struct SeekOutcome: Sendable, Equatable {
  public let consumer: ConsumerName
  public let isEnabled: Bool
  public let requested: Offset
  /// What the consumer read next before.
  public let from: Offset
  /// What it reads next now: where the batch begins that holds what was requested.
  public let to: Offset
  /// Backwards: frozen batches to be delivered again. Forwards: batches that were open and are passed over.
  public let batches: Int
  /// Dead letters whose ticks are tried again.
  public let deadLetters: Int

  public var isForwards: Bool { to > from }
  /// Ticks to be delivered again, or passed over.
  public var ticks: Int { abs(from.distance(to: to)) }
}

/// Why a consumer was not moved.
public struct SeekError: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Code: Sendable, Equatable {
    case unknownConsumer
    /// Below the oldest tick kept, or above the head's next.
    case outOfBounds
    /// In a batch that has lost its first ticks.
    case trimmedBatch
    /// Ticks would be passed over, and that was not asked for.
    case needsSkip
  }

  public let code: Code
  /// What is allowed instead, too.
  public let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
