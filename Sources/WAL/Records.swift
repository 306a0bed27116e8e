import Base

/// The name of a reader with a committed offset; the log is told which there are.
package struct ConsumerName: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: String

  package init(rawValue: String) {
    self.rawValue = rawValue
  }

  package var description: String { rawValue }
}

/// A consumer as the log knows it.
package struct Consumer: Sendable, Equatable {
  package let name: ConsumerName
  /// The offset it reads next: everything before is confirmed, dead or skipped.
  package let next: Offset
  /// The destination that it delivers to, as JSON.
  package let destination: String
  package let isEnabled: Bool
  /// Ticks not written because their TTL had passed.
  package let expired: Int

  /// The same, as it is when it reads another offset next.
  package func reading(_ next: Offset) -> Consumer {
    Consumer(name: name, next: next, destination: destination, isEnabled: isEnabled, expired: expired)
  }
}

/// A batch as written down before its upload.
package struct BatchPlan: Sendable, Equatable {
  package enum State: String, Sendable {
    case planned, shipped
  }

  package var consumer: ConsumerName
  package var range: OffsetRange
  /// The consumer's destination when it was planned, as JSON.
  package var destination: String
  /// The bucket, or the folder for local objects.
  package var bucket: String
  package var key: String
  package var rows: Int
  /// Of the uncompressed text, lower-case hex, as last planned.
  package var sha256: String
  /// Every other one that was ever planned for this batch.
  package var earlierSHA256: [String]
  package var state: State

  package init(
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

  package func wasEverPlanned(sha256: String) -> Bool {
    self.sha256 == sha256 || earlierSHA256.contains(sha256)
  }
}

/// A stretch of time in which the feed may have missed ticks.
package struct Gap: Sendable, Equatable {
  /// The reason for a gap, as `gaps.cause` says it. A text that this build does not know stays as it is.
  package struct Cause: RawRepresentable, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    package let rawValue: String
    package var description: String { rawValue }
    package init(rawValue: String) { self.rawValue = rawValue }

    package static let closed = Cause(rawValue: "closed")
    package static let stale = Cause(rawValue: "stale")
    package static let refused = Cause(rawValue: "refused")
    package static let shutdown = Cause(rawValue: "shutdown")
    package static let diskFull = Cause(rawValue: "disk_full")
    package static let queueFull = Cause(rawValue: "queue_full")
    package static let crash = Cause(rawValue: "crash")
    /// The process did not run and a connection ended meanwhile: from the last moment at which it is known to have
    /// run. A freeze in which no connection ended loses nothing, and is no gap.
    package static let frozen = Cause(rawValue: "frozen")
    /// The exchange refused or withheld these streams.
    package static let unsubscribed = Cause(rawValue: "unsubscribed")
    /// The exchange's own ids of one stream skip.
    package static let sequence = Cause(rawValue: "sequence")

    /// The one list of them: the log's schema and its check are made of it. One more is a migration.
    package static let allCases = [
      closed, stale, refused, shutdown, diskFull, queueFull, crash, frozen, unsubscribed, sequence,
    ]
  }

  package struct ID: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int64
    package init(rawValue: Int64) { self.rawValue = rawValue }
  }

  package let id: ID
  /// Microseconds since 1970, UTC: the last data received before it.
  package let startedAt: Int64
  /// Microseconds since 1970, UTC: the first data after it; `nil` while it is open.
  package let endedAt: Int64?
  package let cause: Cause
  package let streams: [String]
  /// JSON: the ids of a `sequence` gap, the exchange's words of a refusal; `nil` where there is nothing to say, and
  /// in a log of a version that had none.
  package let detail: String?

  init(
    id: ID, startedAt: Int64, endedAt: Int64?, cause: Cause, streams: [String], detail: String? = nil
  ) {
    self.id = id
    self.startedAt = startedAt
    self.endedAt = endedAt
    self.cause = cause
    self.streams = streams
    self.detail = detail
  }
}

/// A tick that a sink will never accept, or input that is no tick.
package struct DeadLetter: Sendable, Equatable {
  /// `nil` for input that is no tick.
  package var offset: Offset?
  package var consumer: ConsumerName
  package var cause: String
  package var attempts: Int
  package var payload: [UInt8]

  package init(offset: Offset?, consumer: ConsumerName, cause: String, attempts: Int, payload: [UInt8]) {
    self.offset = offset
    self.consumer = consumer
    self.cause = cause
    self.attempts = attempts
    self.payload = payload
  }
}

/// Input of the feed or of an import that is no tick.
package struct RejectedInput: Sendable, Equatable {
  package var payload: [UInt8]
  package var cause: String

  package init(payload: [UInt8], cause: String) {
    self.payload = payload
    self.cause = cause
  }
}

extension ConsumerName {
  /// The owner of dead letters of the feed's input.
  package static let feed = ConsumerName(rawValue: "feed")
  /// The owner of dead letters of an import's input.
  package static let fileImport = ConsumerName(rawValue: "import")
  /// The owner of what a salvage could not read: ranges in `skipped`, damaged rows in `dead_letters`.
  package static let salvage = ConsumerName(rawValue: "salvage")
}
