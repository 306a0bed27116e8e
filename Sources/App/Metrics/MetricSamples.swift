import Base
import Ingest
import Observe
import Shippers
import WAL

/// The metrics that are found out when they are asked for, from one look at the process and its log. Pure.
struct MetricSamples {
  let sight: Sight
  /// What is known of each consumer's destination.
  let destinations: [any Destination]

  var all: [MetricSample] { feed + log + shipping + aws }

  private var status: LogStatus { sight.status }

  private func flag(_ value: Bool) -> Double { value ? 1 : 0 }
  private func seconds(_ microseconds: Int64) -> Double { Double(microseconds) / 1e6 }

  private var feed: [MetricSample] {
    let figures = sight.statistics
    let last = max(status.lastReceivedAt ?? 0, figures?.lastDataAt ?? 0)
    let isPaused = figures?.isPaused == true
    let open = Dictionary(grouping: status.openGaps, by: \.cause)
    let gaps = Gap.Cause.allCases.map { cause in
      MetricSample("gaps_open", [cause.rawValue], Double(open[cause]?.count ?? 0))
    }
    let figured: [MetricSample] = [
      .init("feed_connections", Double(figures?.connections ?? 0)),
      .init("feed_last_tick_timestamp_seconds", seconds(last)),
      .init("feed_streams", Double(figures?.plannedStreams ?? status.feed.streams ?? 0)),
      .init("feed_streams_granted", Double(figures?.connectedStreams ?? 0)),
      .init("feed_streams_silent", Double(figures?.silentStreams.count ?? 0)),
      .init("feed_paused", ["disk_full"], flag(isPaused && sight.isDiskFull)),
      .init("feed_paused", ["queue_full"], flag(isPaused && !sight.isDiskFull)),
      .init("gap_stream_seconds_total", status.gapStreamSeconds),
      .init("feed_stream_seconds_total", status.feedStreamSeconds),
    ]
    return figured + gaps
  }

  private var log: [MetricSample] {
    var samples: [MetricSample] = [
      .init("log_queue_bytes", Double(sight.queue.waiting)),
      .init("log_queue_capacity_bytes", Double(sight.queue.capacity)),
      .init("log_head_offset", Double(status.head.rawValue)),
      .init("log_oldest_offset", Double(status.oldest?.rawValue ?? 0)),
      .init("log_file_bytes", Double(status.fileBytes)),
      .init("log_sqlite_wal_bytes", Double(status.walBytes)),
    ]
    if let volume = sight.volume {
      samples.append(.init("log_volume_available_bytes", Double(volume.available)))
      samples.append(.init("log_volume_size_bytes", Double(volume.size)))
    }
    let present = sight.diskLevel ?? .normal
    for level in DiskLevel.allCases {
      samples.append(MetricSample("log_disk_state", [level.rawValue], flag(level == present)))
    }
    return samples
  }

  private var shipping: [MetricSample] {
    let now = seconds(status.readAt)
    var samples: [MetricSample] = [
      .init("ship_open_batches", Double(status.consumers.reduce(0) { $0 + $1.openBatches })),
      .init("dead_letters", [ConsumerName.feed.rawValue], Double(status.rejectedInput)),
      .init("dead_letters", [ConsumerName.fileImport.rawValue], Double(status.rejectedImport)),
    ]
    for consumer in status.consumers {
      let name: [String] = [consumer.name.rawValue]
      // Nothing waits for one that is off.
      let age = consumer.isEnabled ? consumer.oldestUnshippedSeconds : 0
      samples += [
        .init("ship_next_offset", name, Double(consumer.next.rawValue)),
        .init("ship_lag_ticks", name, Double(consumer.lag)),
        .init("ship_oldest_unshipped_timestamp_seconds", name, now - age),
        .init("ship_held", name, flag(consumer.isEnabled && consumer.hold != nil)),
        .init("dead_letters", name, Double(consumer.deadLetters)),
        .init("ship_skipped_ticks_total", name, Double(consumer.skipped)),
      ]
    }
    for destination in destinations {
      let name = [destination.consumer.name.rawValue]
      samples += [
        .init("ship_retention_seconds", name, (destination.retention ?? .zero) / .seconds(1)),
        .init("ship_batch_wait_seconds", name, destination.batchWait / .seconds(1)),
      ]
    }
    return samples
  }

  private var aws: [MetricSample] {
    [
      .init("aws_credentials_expiry_timestamp_seconds", sight.credentialsExpiry ?? .nan),
      .init("aws_clock_offset_seconds", Double(sight.clockOffset)),
    ]
  }
}
