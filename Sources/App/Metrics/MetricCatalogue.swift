import AWS
import Ingest
import Logging
import Observe
import Shippers
import WAL

/// Every metric of the program: the names that are scraped, and nothing else is.
enum MetricCatalogue {
  static let families = feed + log + shipping + aws + program + process

  /// Where the modules' handles count.
  static let registry = MetricRegistry(families)

  private static let milliseconds = MetricFamily.Kind.doubling(from: 0.001, count: 14)
  private static let deliveries = MetricFamily.Kind.histogram([
    0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600,
  ])

  private static let causes = Gap.Cause.allCases.map { [$0.rawValue] }
  private static let consumers = Destinations.consumers.map { [$0.name.rawValue] }
  private static let services = Service.allCases.map { [$0.rawValue] }

  private static let feed: [MetricFamily] = [
    .init("feed_connections", .gauge, "WebSockets to the exchange that are open."),
    .init(
      "feed_connects_total", .counter, "Attempts to connect, by how they ended.", labels: ["result"],
      series: [["opened"], ["failed"]]),
    .init(
      "feed_disconnects_total", .counter, "Open connections that ended, by cause.", labels: ["cause"],
      series: DisconnectCause.allCases.map { [$0.rawValue] }),
    .init(
      "feed_messages_total", .counter,
      "Data messages received; one that came over two connections counts twice."),
    .init("feed_received_bytes_total", .counter, "Bytes received from the exchange, after TLS."),
    .init(
      "feed_last_tick_timestamp_seconds", .gauge,
      "When the newest tick was received; 0 if there never was one."),
    .init(
      "feed_event_delay_seconds", milliseconds, "Time from an event at the exchange to its reception here."),
    .init("feed_streams", .gauge, "Streams of the list."),
    .init("feed_streams_granted", .gauge, "Streams that the exchange has granted to open connections."),
    .init("feed_streams_silent", .gauge, "Granted streams that have delivered nothing for long."),
    .init(
      "feed_paused", .gauge, "Whether nothing is read from the exchange because the log cannot take more.",
      labels: ["cause"]),
    .init(
      "feed_duplicates_dropped_total", .counter,
      "Ticks left out because another connection had delivered them."),
    .init(
      "feed_late_ticks_total", .counter,
      "Ticks kept whose event time was before that of an earlier one of their stream."),
    .init("feed_sequence_breaks_total", .counter, "Times that the exchange's own ids of a stream skipped."),
    .init("gaps_open", .gauge, "Gaps that no data has ended yet, by cause.", labels: ["cause"]),
    .init("gaps_total", .counter, "Gaps begun since the start, by cause.", labels: ["cause"], series: causes),
    .init(
      "gap_stream_seconds_total", .counter,
      "Seconds that streams have been in gaps, each stream counted; kept in the log.", series: []),
    .init(
      "feed_stream_seconds_total", .counter,
      "Seconds that streams have been in the feed's list, each stream counted, down time too; kept in the log.",
      series: []),
  ]

  private static let log: [MetricFamily] = [
    .init("log_appended_ticks_total", .counter, "Ticks made durable in the log."),
    .init("log_appended_bytes_total", .counter, "Bytes of their stream names and payloads."),
    .init("log_commit_duration_seconds", milliseconds, "Time that a commit took, with its fsync."),
    .init("log_commit_ticks", .doubling(from: 1, count: 14), "Ticks of one commit."),
    .init(
      "log_append_wait_seconds", milliseconds, "Time from when ticks were queued until they were durable."),
    .init("log_queue_bytes", .gauge, "Bytes that wait for their commit."),
    .init("log_queue_capacity_bytes", .gauge, "Bytes that may wait; then the feed is paused."),
    .init("log_head_offset", .gauge, "The last offset of the log."),
    .init("log_oldest_offset", .gauge, "The oldest offset kept; 0 if there is none."),
    .init("log_file_bytes", .gauge, "Size of the log's file."),
    .init("log_sqlite_wal_bytes", .gauge, "Size of SQLite's write-ahead log beside it."),
    .init("log_checkpoint_duration_seconds", milliseconds, "Time that a checkpoint of SQLite took."),
    .init(
      "log_checkpoints_blocked_total", .counter, "Checkpoints that a reader's old snapshot kept from ending."),
    .init("log_volume_available_bytes", .gauge, "Bytes available on the log's volume."),
    .init("log_volume_size_bytes", .gauge, "Size of the log's volume."),
    .init("log_disk_state", .gauge, "1 for the state that the log's volume is in.", labels: ["state"]),
    .init("log_trimmed_ticks_total", .counter, "Ticks that were trimmed from the log."),
  ]

  private static let shipping: [MetricFamily] = [
    .init("ship_next_offset", .gauge, "The offset that is shipped next, as committed.", labels: ["consumer"]),
    .init("ship_lag_ticks", .gauge, "Ticks in the log that are not shipped.", labels: ["consumer"]),
    .init(
      "ship_oldest_unshipped_timestamp_seconds", .gauge,
      "When the oldest tick that is not shipped was received; now, if none waits.", labels: ["consumer"]),
    .init(
      "ship_last_success_timestamp_seconds", .gauge,
      "When a delivery was confirmed last; 0 before the first of this process.", labels: ["consumer"]),
    .init("ship_ticks_total", .counter, "Ticks settled by confirmed deliveries.", labels: ["consumer"]),
    .init("ship_objects_total", .counter, "Objects confirmed."),
    .init("ship_bytes_total", .counter, "Bytes of confirmed bodies or payloads.", labels: ["consumer"]),
    .init(
      "ship_delivery_seconds", deliveries,
      "Time from the reception of a delivery's oldest tick to its confirmation.", labels: ["consumer"]),
    .init("ship_in_flight", .gauge, "Deliveries that are on their way.", labels: ["consumer"]),
    .init("ship_concurrency_limit", .gauge, "Deliveries that may be on their way now.", labels: ["consumer"]),
    .init("ship_open_batches", .gauge, "Batches that are planned and not confirmed."),
    .init("ship_held", .gauge, "1 while shipping waits for the operator.", labels: ["consumer"]),
    .init("dead_letters", .gauge, "Dead letters that are kept.", labels: ["consumer"]),
    .init(
      "dead_letters_created_total", .counter, "Dead letters added since the start.", labels: ["consumer"],
      series: consumers + [[ConsumerName.feed.rawValue], [ConsumerName.fileImport.rawValue]]),
    .init("ship_expired_ticks_total", .counter, "Ticks that were not written because their TTL had passed."),
    .init(
      "ship_skipped_ticks_total", .counter, "Ticks that were passed over; kept in the log.",
      labels: ["consumer"],
      series: []),
    .init(
      "ship_retention_seconds", .gauge,
      "How long the destination keeps what is written, where that is ours to say; else 0.",
      labels: ["consumer"]),
    .init(
      "ship_batch_wait_seconds", .gauge, "The longest that a tick waits for its batch; 0 without batches.",
      labels: ["consumer"]),
  ]

  private static let aws: [MetricFamily] = [
    .init(
      "aws_requests_total", .counter, "Requests to AWS, each attempt counted, by result.",
      labels: ["service", "operation", "result"]),
    .init(
      "aws_request_duration_seconds", milliseconds, "Time that one attempt of a request took.",
      labels: ["service", "operation"]),
    .init(
      "aws_retries_total", .counter, "Requests to AWS that were tried again, by reason.",
      labels: ["service", "reason"],
      series: services.flatMap { service in
        AWSError.Kind.allCases.filter { $0 != .permanent }.map { service + [$0.word] }
      }),
    .init(
      "aws_throttles_total", .counter, "Answers of AWS that asked for less.", labels: ["service"],
      series: services),
    .init(
      "aws_credentials_expiry_timestamp_seconds", .gauge,
      "When the credentials in force expire; +Inf if they do not, NaN without any."),
    .init(
      "aws_clock_offset_seconds", .gauge,
      "By how much AWS' clock is ahead of this machine's, once that was found."),
  ]

  private static let program: [MetricFamily] = [
    .init(
      "logging_messages_total", .counter, "Messages written, by severity.", labels: ["level"], series: []),
    .init("logging_messages_dropped_total", .counter, "Messages that stderr did not take.", series: []),
    .init(
      "streams_last_reload_success", .gauge,
      "1 if the list of streams was read when it was read last, or is the operator's own."),
    .init("heartbeat_failures_total", .counter, "Heartbeats that got no good answer."),
    .init(
      "http_requests_total", .counter, "Requests of HTTP clients, by what became of them.",
      labels: ["result"],
      series: HTTPResult.allCases.map { [$0.rawValue] }),
    .init("build_info", .gauge, "1; the version of the program.", labels: ["version"]),
  ]

  private static let process: [MetricFamily] = [
    .init(
      "process_cpu_seconds_total", .counter, "CPU time of the process, user and system.", series: [],
      hasPrefix: false),
    .init("process_resident_memory_bytes", .gauge, "Resident memory of the process.", hasPrefix: false),
    .init("process_virtual_memory_bytes", .gauge, "Virtual memory of the process.", hasPrefix: false),
    .init("process_open_fds", .gauge, "Open file descriptors.", hasPrefix: false),
    .init("process_max_fds", .gauge, "The limit of open file descriptors.", hasPrefix: false),
    .init("process_threads", .gauge, "Threads of the process.", hasPrefix: false),
    .init("process_start_time_seconds", .gauge, "When the process was started.", hasPrefix: false),
  ]
}

/// What became of an HTTP request, as a label says it.
enum HTTPResult: String, CaseIterable, Sendable {
  case ok
  /// An endpoint of health that says no: 503.
  case unwell
  /// 4xx.
  case refused
  /// Too many clients: closed without an answer.
  case tooMany = "too_many"
  /// Not read, or not answered, in time.
  case timedOut = "timed_out"
  /// The answer could not be made: 500.
  case failed
}
