/// The name of a reader with a committed offset: `s3`, `dynamodb`, `local-s3`, `local-dynamodb`.
public struct ConsumerName: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: String

  public init(rawValue: String) {
    self.rawValue = rawValue
  }

  public var description: String { rawValue }
}

/// A consumer as the log knows it.
public struct Consumer: Sendable, Equatable {
  public let name: ConsumerName
  /// The offset it reads next: everything before is confirmed, dead or skipped.
  public let next: Offset
  /// Where it delivers to, as JSON.
  public let destination: String
  public let isEnabled: Bool
  /// Ticks not written because their TTL had passed.
  public let expired: Int

  /// The same, as it is when it reads another offset next.
  public func reading(_ next: Offset) -> Consumer {
    Consumer(name: name, next: next, destination: destination, isEnabled: isEnabled, expired: expired)
  }
}

/// A batch as written down before its upload.
public struct BatchPlan: Sendable, Equatable {
  public enum State: String, Sendable {
    case planned, shipped
  }

  public var consumer: ConsumerName
  public var range: OffsetRange
  /// The consumer's destination when it was planned, as JSON.
  public var destination: String
  /// The bucket, or the folder for local objects.
  public var bucket: String
  public var key: String
  public var rows: Int
  /// Of the uncompressed text, lower-case hex, as last planned.
  public var sha256: String
  /// Every other one that was ever planned for this batch.
  public var earlierSHA256: [String]
  public var state: State

  public init(
    consumer: ConsumerName, range: OffsetRange, destination: String, bucket: String, key: String, rows: Int,
    sha256: String, earlierSHA256: [String] = [], state: State = .planned
  ) {
    self.consumer = consumer
    self.range = range
    self.destination = destination
    self.bucket = bucket
    self.key = key
    self.rows = rows
    self.sha256 = sha256
    self.earlierSHA256 = earlierSHA256
    self.state = state
  }

  public func wasEverPlanned(sha256: String) -> Bool {
    self.sha256 == sha256 || earlierSHA256.contains(sha256)
  }
}

/// A stretch of time in which the feed may have missed ticks.
public struct Gap: Sendable, Equatable {
  public enum Cause: String, Sendable, CaseIterable {
    case closed, stale, refused, shutdown
    case diskFull = "disk_full"
    case queueFull = "queue_full"
    case crash
  }

  public struct ID: RawRepresentable, Hashable, Sendable {
    public let rawValue: Int64
    public init(rawValue: Int64) { self.rawValue = rawValue }
  }

  public let id: ID
  /// Microseconds since 1970, UTC: the last data received before it.
  public let startedAt: Int64
  /// Microseconds since 1970, UTC: the first data after it; `nil` while it is open.
  public let endedAt: Int64?
  public let cause: Cause
  public let streams: [String]
}

/// A tick that a sink will never accept, or input that is no tick.
public struct DeadLetter: Sendable, Equatable {
  /// `nil` for input that is no tick.
  public var offset: Offset?
  public var consumer: ConsumerName
  public var cause: String
  public var attempts: Int
  public var payload: [UInt8]

  public init(offset: Offset?, consumer: ConsumerName, cause: String, attempts: Int, payload: [UInt8]) {
    self.offset = offset
    self.consumer = consumer
    self.cause = cause
    self.attempts = attempts
    self.payload = payload
  }
}

/// Input of the feed or of an import that is no tick.
public struct RejectedInput: Sendable, Equatable {
  public var payload: [UInt8]
  public var cause: String

  public init(payload: [UInt8], cause: String) {
    self.payload = payload
    self.cause = cause
  }
}

extension ConsumerName {
  /// Under which dead letters of input are kept.
  public static let feed = ConsumerName(rawValue: "feed")
}
