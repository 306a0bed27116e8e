import Base
import FoundationEssentials
import WAL

/// A request to the process that has the log open: one line of JSON.
struct ControlRequest: Codable, Sendable, Equatable {
  enum Command: String, Codable, Sendable {
    case seek
    case retry = "dead-letters retry"
    case discard = "dead-letters discard"
    /// How the feed stands; changes nothing.
    case feed
  }

  /// Of the language that both sides speak.
  static let version = 1
  static let maximumBytes = 64 << 10
  static let maximumIDs = 25

  var version = ControlRequest.version
  let command: Command
  // Of seek.
  var consumer: String?
  var offset: Int64?
  var skip: Bool?
  var dryRun: Bool?
  /// Of dead letters, at most `maximumIDs`.
  var ids: [Int64]?

  enum CodingKeys: String, CodingKey {
    case version, command, consumer, offset, skip, ids
    case dryRun = "dry_run"
  }

  static func seek(_ request: SeekRequest, dryRun: Bool) -> ControlRequest {
    ControlRequest(
      command: .seek, consumer: request.consumer.rawValue, offset: request.offset.rawValue,
      skip: request.maySkip, dryRun: dryRun)
  }

  static var feed: ControlRequest { ControlRequest(command: .feed) }

  /// Whether it only looks: nobody misses an answer that comes too late.
  var isHarmless: Bool { command == .feed }

  static func deadLetters(_ command: Command, _ ids: [KeptDeadLetter.ID]) -> ControlRequest {
    ControlRequest(command: command, ids: ids.map(\.rawValue))
  }
}

/// The answer: one line of JSON with one of these.
struct ControlAnswer: Codable, Sendable, Equatable {
  struct Seek: Codable, Sendable, Equatable {
    let consumer: String
    let enabled: Bool
    let requested: Int64
    let from: Int64
    let to: Int64
    let batches: Int
    let deadLetters: Int

    enum CodingKeys: String, CodingKey {
      case consumer, enabled, requested, from, to, batches
      case deadLetters = "dead_letters"
    }
  }

  struct Letter: Codable, Sendable, Equatable {
    enum Outcome: String, Codable, Sendable, CaseIterable {
      /// Confirmed by the sink, or appended; the letter is gone.
      case delivered
      /// Not written, because its TTL has passed; the letter is gone.
      case expired
      /// Refused again: the letter has another attempt and the new cause.
      case refused
      /// Could not be tried; the letter is as it was.
      case untried
      case discarded
      /// There is no such letter.
      case unknown
    }

    let id: Int64
    let outcome: Outcome
    /// Why, or what it became.
    var detail: String?
  }

  /// How the feed of the process stands.
  struct Feed: Codable, Sendable, Equatable {
    enum State: String, Codable, Sendable {
      /// The process has no feed: it ships alone.
      case none
      /// It does not know its streams yet.
      case starting
      case running
      /// It does not turn: what it says of itself may be out of date.
      case stuck
      /// It has stopped; the process ends.
      case ended
    }

    /// How the process stands beside its feed.
    struct Process: Codable, Sendable, Equatable {
      /// Deliveries of a consumer that fail, and are tried again.
      struct Trouble: Codable, Sendable, Equatable {
        let consumer: String
        /// Microseconds UTC.
        let since: Int64
        let failures: Int
        let error: String
        /// Whether it is over by itself; a process of an earlier version does not say.
        var passes: Bool?
      }

      /// Ticks a second, over the last half minute.
      struct Rates: Codable, Sendable, Equatable {
        var appended = 0.0
        var shipped: [String: Double] = [:]
      }

      /// The room on the log's volume: `normal`, `low`, `stop` or `full`; nil as long as nobody has looked.
      var disk: String?
      /// Where HTTP is served, or why it is not.
      var http: String?
      /// Seconds: the age of the oldest unshipped tick that is well, by consumer.
      var maximumAge: [String: Double] = [:]
      var troubles: [Trouble] = []
      var rates: Rates?
      /// As the free space of the last hour goes; nil if it does not get less.
      var secondsUntilFull: Double?
      /// How long the log's writer has been at one piece of work; nil while it waits for some.
      var writerBusySeconds: Double?

      enum CodingKeys: String, CodingKey {
        case disk, http, troubles, rates
        case writerBusySeconds = "writer_busy_seconds"
        case secondsUntilFull = "seconds_until_full"
        case maximumAge = "maximum_age"
      }
    }

    /// How many, and the first names.
    struct Streams: Codable, Sendable, Equatable {
      var count = 0
      var names: [String] = []
    }

    let state: State
    /// Whether a WebSocket is open that at least one stream is granted to.
    var connected = false
    /// Microseconds UTC: since when it is connected, or is not.
    var since: Int64?
    var connections = 0
    var plannedConnections = 0
    var streams = 0
    var granted = 0
    var silent = Streams()
    var refused = Streams()
    /// Microseconds UTC.
    var nextAttemptAt: Int64?
    /// Whether nothing is read because the log cannot take more.
    var paused = false
    /// The share of the streams that it reads, as `2/5`; `nil`: all.
    var shard: String?
    /// The names that the log's files have lost, in words; `nil` as long as they have them.
    var logLost: String?
    var process: Process?

    enum CodingKeys: String, CodingKey {
      case state, connected, since, connections, streams, granted, silent, refused, paused, process, shard
      case logLost = "log_lost"
      case plannedConnections = "planned_connections"
      case nextAttemptAt = "next_attempt_at"
    }
  }

  struct Failure: Codable, Sendable, Equatable {
    let exitCode: Int32
    let message: String

    enum CodingKeys: String, CodingKey {
      case message
      case exitCode = "exit_code"
    }
  }

  static let maximumBytes = 256 << 10

  var version = ControlRequest.version
  var seek: Seek?
  var letters: [Letter]?
  var feed: Feed?
  var error: Failure?

  enum CodingKeys: String, CodingKey {
    case version, seek, feed, error
    case letters = "dead_letters"
  }

  static func failed(_ code: ExitCode, _ message: String) -> ControlAnswer {
    ControlAnswer(error: Failure(exitCode: code.rawValue, message: Text.oneLine(message, limit: 4_000)))
  }

  /// - Throws: `CommandFailure` if it is a refusal.
  func checked() throws -> ControlAnswer {
    guard version == ControlRequest.version else {
      throw CommandFailure(
        .problems,
        "the process that has the log open speaks version \(version) of the socket's language, this one version \(ControlRequest.version): use the same tickwal"
      )
    }
    guard let error else { return self }
    throw CommandFailure(ExitCode(rawValue: error.exitCode) ?? .problems, error.message)
  }
}

/// One line of JSON, and back.
enum ControlLine {
  static func encode(_ message: some Encodable) throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Array(try encoder.encode(message)) + [UInt8(ascii: "\n")]
  }

  /// - Throws: `CommandFailure` (1).
  static func decode<T: Decodable>(_ type: T.Type, _ line: [UInt8]) throws -> T {
    do {
      return try JSONDecoder().decode(type, from: Data(line))
    } catch {
      throw CommandFailure(.problems, "what came through the socket is not understood: \(error)")
    }
  }

  /// Told before anything else is read, so that another version gets an answer that it understands.
  struct Version: Decodable {
    let version: Int
  }
}
