import WAL

/// The part of a log's note in the bucket that is for people and for `tickwal fleet`: how the log and its process were
/// when the note was written.
package struct LogReport: Codable, Equatable, Sendable {
  package struct ConsumerState: Codable, Equatable, Sendable {
    /// Ticks between it and the head.
    package let lag: Int
    /// Age of the oldest tick it has not shipped; 0 without lag.
    package let ageSeconds: Double
    /// The reason for which it waits for the operator; `nil` if it does not.
    package let held: String?
    /// So long a tick may wait for its batch; `nil` if it goes at once, or is no business of this place.
    package var mayWaitSeconds: Double?

    enum CodingKeys: String, CodingKey {
      case lag, held
      case ageSeconds = "age_seconds"
      case mayWaitSeconds = "may_wait_seconds"
    }
  }

  package struct OpenGaps: Codable, Equatable, Sendable {
    package let count: Int
    /// Streams that one of them names, or more.
    package let streams: Int
    /// Each once, in the alphabet's order.
    package let causes: [String]
  }

  /// From the key of a gap's object one sees when it began. This says which of the old ones cannot reach into a time,
  /// so that who asks about a day reads no year of them.
  package struct GapBounds: Codable, Equatable, Sendable {
    /// The longest that a gap which has ended ever took, rounded up.
    package let longestSeconds: Double
    /// The beginning of the oldest gap that is open, or from which on the feed may still find one; `nil` if there is
    /// none.
    package let oldestOpen: NoteTime?

    enum CodingKeys: String, CodingKey {
      case longestSeconds = "longest_seconds"
      case oldestOpen = "oldest_open"
    }
  }

  package struct PassedOver: Codable, Equatable, Sendable {
    package let ticks: Int
    /// When the last of them was passed.
    package let newest: NoteTime
  }

  package struct StreamCount: Codable, Equatable, Sendable {
    package let count: Int
    /// Of the list, see ``ListedStreams/hash(of:)``.
    package let sha256: String
  }

  package enum FeedState: String, Codable, Sendable {
    case running, stopped
    /// No feed ever wrote to this log.
    case none
  }

  package var host: String
  package var version: String
  /// `2/5`; `nil` for all streams.
  package var shard: String?
  package var feed: FeedState
  package var head: Int64
  /// The enabled ones, by name.
  package var consumers: [String: ConsumerState]
  package var openGaps: OpenGaps
  /// `nil` where older gaps than the log keeps may have been longer.
  package var gapBounds: GapBounds?
  package var streams: StreamCount?
  package var firstTick: NoteTime?
  package var lastTick: NoteTime?
  /// Up to then every tick that was received lies here, unless a gap that is told here, or ``passedOver``, says
  /// otherwise.
  package var coveredUntil: NoteTime?
  /// Ticks that this place's consumer has skipped, or keeps as dead letters; `nil` without any.
  package var passedOver: PassedOver?

  enum CodingKeys: String, CodingKey {
    case host, version, shard, feed, head, consumers, streams
    case openGaps = "open_gaps"
    case gapBounds = "gap_bounds"
    case firstTick = "first_tick"
    case lastTick = "last_tick"
    case coveredUntil = "covered_until"
    case passedOver = "passed_over"
  }

  /// Whether it says something for which one would not wait five minutes.
  func matters(after other: LogReport) -> Bool {
    (host, version, shard) != (other.host, other.version, other.shard)
      || feed != other.feed || passedOver != other.passedOver || streams != other.streams
      || openGaps != other.openGaps
      || consumers.mapValues { $0.held != nil } != other.consumers.mapValues { $0.held != nil }
  }
}
