import Glibc
import Observe
import Testing

@testable import Ingest
@testable import WAL
@testable import tickwal

/// What is found out at a scrape follows from the look alone.
@Suite struct MetricSamplesTests {
  private static let now: Int64 = 1_795_238_000_000_000

  private func sight(hold: Hold? = nil, isEnabled: Bool = true, skipped: Int = 0, gaps: [Gap] = []) -> Sight {
    let consumer = LogStatus.Consumer(
      name: ConsumerName(rawValue: "s3"), next: Offset(rawValue: 3), lag: 7, oldestUnshippedSeconds: 60,
      destination: "{}", isEnabled: isEnabled, expired: 0, deadLetters: 4, skipped: skipped, openBatches: 2,
      hold: hold)
    let status = LogStatus(
      logID: LogID(rawValue: "0123456789abcdef"), head: Offset(rawValue: 9), oldest: .first,
      lastReceivedAt: nil,
      consumers: [consumer], openGaps: gaps, endedGaps: 0, recentGaps: [:], completeness: nil,
      readAt: Self.now,
      rejectedInput: 5, rejectedImport: 6, fileBytes: 1, walBytes: 2, writerPID: 42,
      feed: LogStatus.Feed(streams: 2))
    return Sight(status: status, feed: ControlAnswer.Feed(state: .running), statistics: FeedStatistics())
  }

  private func value(_ name: String, _ labels: [String] = [], of sight: Sight) throws -> Double {
    let all = MetricSamples(sight: sight, destinations: []).all.filter {
      $0.label == name && $0.values == labels
    }
    #expect(all.count == 1)
    return try #require(all.first).value
  }

  @Test func `held is one that waits for the operator, unless it is off`() throws {
    #expect(try value("ship_held", ["s3"], of: sight()) == 0)
    let hold = Hold(since: Self.now, why: "the table is not there")
    #expect(try value("ship_held", ["s3"], of: sight(hold: hold)) == 1)
    #expect(try value("ship_held", ["s3"], of: sight(hold: hold, isEnabled: false)) == 0)
  }

  @Test func `skipped ticks, batches and dead letters are those of the log`() throws {
    let sight = sight(skipped: 8)
    #expect(try value("ship_skipped_ticks_total", ["s3"], of: sight) == 8)
    #expect(try value("ship_open_batches", of: sight) == 2)
    #expect(try value("dead_letters", ["s3"], of: sight) == 4)
    #expect(try value("dead_letters", ["feed"], of: sight) == 5)
    #expect(try value("dead_letters", ["import"], of: sight) == 6)
  }

  @Test func `a pause is that of a full disk or that of a full queue`() throws {
    var sight = sight()
    #expect(try value("feed_paused", ["disk_full"], of: sight) == 0)
    sight.statistics?.isPaused = true
    #expect(try value("feed_paused", ["queue_full"], of: sight) == 1)
    #expect(try value("feed_paused", ["disk_full"], of: sight) == 0)
    sight.isDiskFull = true
    #expect(try value("feed_paused", ["queue_full"], of: sight) == 0)
    #expect(try value("feed_paused", ["disk_full"], of: sight) == 1)
  }

  @Test func `one state of the disk is in force, and the clock and the keys are the client's`() throws {
    var sight = sight()
    for level in DiskLevel.allCases {
      sight.diskLevel = level
      for other in DiskLevel.allCases {
        #expect(try value("log_disk_state", [other.rawValue], of: sight) == (other == level ? 1 : 0))
      }
    }
    sight.clockOffset = -3
    #expect(try value("aws_clock_offset_seconds", of: sight) == -3)
    #expect(try value("aws_credentials_expiry_timestamp_seconds", of: sight).isNaN)
    sight.credentialsExpiry = 1_795_240_000
    #expect(try value("aws_credentials_expiry_timestamp_seconds", of: sight) == 1_795_240_000)
  }

  @Test func `silent streams are those that the feed has found so`() throws {
    var sight = sight()
    #expect(try value("feed_streams_silent", of: sight) == 0)
    sight.statistics?.silentStreams = NamedStreams(["a@trade", "b@trade"])
    #expect(try value("feed_streams_silent", of: sight) == 2)
  }

  @Test func `messages that stderr does not take are counted`() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    // Not closed: whoever writes waits for a reader, as long as the tests run.
    let console = Console(descriptor: ends[1])
    let dropped = {
      try #require(
        ProcessSamples.all(console: console).first { $0.label == "logging_messages_dropped_total" }
      ).value
    }
    #expect(try dropped() == 0)
    // More than the pipe and the queue before it hold.
    for _ in 0..<100 { console.writeLine(String(repeating: "x", count: 8192)) }
    #expect(try dropped() > 0)
  }
}
