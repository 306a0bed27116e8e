import Base
import Glibc

/// The state of a log at one moment, for people and for programs.
package struct LogStatus: Sendable {
  package struct Consumer: Sendable {
    package let name: ConsumerName
    package let next: Offset
    /// Ticks between it and the head.
    package let lag: Int
    /// Age of the oldest tick it has not shipped; 0 without lag.
    package let oldestUnshippedSeconds: Double
    package let destination: String
    package let isEnabled: Bool
    package let expired: Int
    package let deadLetters: Int
    package let skipped: Int
    /// Batches planned and not confirmed.
    package let openBatches: Int
    /// `nil` if it does not wait for the operator.
    package let hold: Hold?
  }

  /// The state of the feed as the log knows it: of one that runs, or of the last one that ran.
  package struct Feed: Equatable, Sendable {
    /// Streams of its list; `nil` if no feed ever ran.
    package let streams: Int?
    /// Attempts to connect in the last 5 minutes.
    package let recentAttempts: Int
    /// Microseconds since 1970, UTC: before that the exchange does not want to be asked; `nil` if that is over, or if
    /// it never said so.
    package let heldUntil: Int64?
    /// No end of it is written down: it runs, or was killed.
    package let hasNoEnd: Bool

    package init(
      streams: Int? = nil, recentAttempts: Int = 0, heldUntil: Int64? = nil, hasNoEnd: Bool = false
    ) {
      self.hasNoEnd = hasNoEnd
      self.streams = streams
      self.recentAttempts = recentAttempts
      self.heldUntil = heldUntil
    }
  }

  package let logID: LogID
  package let head: Offset
  package let oldest: Offset?
  /// Microseconds since 1970, UTC; of the newest tick, which may be trimmed by now.
  package let lastReceivedAt: Int64?
  package let consumers: [Consumer]
  package let openGaps: [Gap]
  /// Gaps that ended, of those kept.
  package let endedGaps: Int
  /// Gaps that were open at some time in the last 24 hours, by cause; only causes that occur.
  package let recentGaps: [Gap.Cause: Int]
  /// `nil` if no feed has written any.
  package let completeness: Completeness?
  /// Microseconds since 1970, UTC.
  package let readAt: Int64
  /// Input that was no tick, of that kept.
  package let rejectedInput: Int
  /// The same, of an import's input.
  package var rejectedImport = 0
  /// Bytes of the file and of SQLite's WAL.
  package let fileBytes: Int
  package let walBytes: Int
  /// The process that holds the log open for writing, if any.
  package let writerPID: Int32?
  package let feed: Feed
  /// Seconds that streams have been in gaps, and in the list of the feed, each stream counted; down time as well.
  package var gapStreamSeconds = 0.0
  package var feedStreamSeconds = 0.0
}

extension LogReader {
  /// - Parameter now: microseconds since 1970, UTC.
  package func status(now: Int64 = WallClock.now()) throws -> LogStatus {
    try read { connection in
      let gaps = try connection.gapCounts(since: now - 86_400_000_000)
      return LogStatus(
        logID: try connection.meta(.logID) ?? LogID(rawValue: "unknown"),
        head: try connection.head(), oldest: try connection.oldestOffset(),
        lastReceivedAt: try connection.lastReceivedAt(),
        consumers: try connection.consumerStatus(at: now), openGaps: try connection.openGaps(),
        endedGaps: gaps.ended, recentGaps: gaps.recent,
        completeness: try connection.completeness(), readAt: now,
        rejectedInput: try connection.deadLetterCount(of: .feed),
        rejectedImport: try connection.deadLetterCount(of: .fileImport),
        fileBytes: size(of: path), walBytes: size(of: path + "-wal"), writerPID: LogLock.holder(of: path),
        feed: try connection.feedStatus(at: now),
        gapStreamSeconds: Double(try connection.gapStreamTime(at: now)) / 1_000,
        feedStreamSeconds: Double(try connection.feedStreamTime(at: now)) / 1_000)
    }
  }

  private func size(of path: String) -> Int {
    var info = stat()
    return stat(path, &info) == 0 ? Int(info.st_size) : 0
  }
}

extension SQLiteConnection {
  /// - Parameter now: microseconds since 1970, UTC.
  fileprivate func feedStatus(at now: Int64) throws(SQLiteError) -> LogStatus.Feed {
    // What lies ahead, because the clock was set back, counts as made now.
    let attempts = (try metaList(.feedAttempts) ?? []).compactMap { Int64($0) }
    return LogStatus.Feed(
      streams: try metaList(.streams)?.count,
      recentAttempts: attempts.count { $0 > now - LogStatus.Feed.attemptsWindow },
      heldUntil: try meta(.feedHold).flatMap { $0 > now ? $0 : nil },
      hasNoEnd: try meta(.feed) == FeedMeta.running)
  }
}

extension LogStatus.Feed {
  /// Microseconds.
  fileprivate static let attemptsWindow: Int64 = 300_000_000
}
