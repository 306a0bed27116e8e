import Base
import FoundationEssentials
import WAL

/// Tells, beside the objects, how a log and its process are: what its note says, and which streams it has.
actor FleetReporter {
  private let consumer: ConsumerName
  private let logID: LogID
  private let process: ProcessIdentity
  private let store: any ObjectStore
  private let key: String
  private let reader: LogReader
  /// Microseconds since 1970, UTC.
  private let now: @Sendable () -> Int64
  /// What the last note said, or the one that was there at the start.
  private var last: LogReport?
  private var record: ListedStreams?
  private var writtenHash: String?

  /// - Parameter reader: one that the data does not wait for.
  init(
    consumer: ConsumerName, logID: LogID, process: ProcessIdentity, settings: ObjectSettings,
    store: any ObjectStore, reader: LogReader, now: @escaping @Sendable () -> Int64
  ) {
    self.consumer = consumer
    self.logID = logID
    self.process = process
    self.store = store
    self.reader = reader
    self.now = now
    key = ObjectKey.streams(logID: logID, settings: settings)
  }

  /// - Parameter note: the one that is there before this process writes its own.
  func begin(after note: LeaseNote?) {
    if let note, note.logID == logID.rawValue { last = note.report }
  }

  /// Whether a note would say something for which one would not wait five minutes. A log that cannot be read has no
  /// news: what is wrong with it is said elsewhere.
  func hasNews() async -> Bool {
    guard let report = try? await look().report else { return false }
    return last.map { report.matters(after: $0) } ?? true
  }

  /// The report for a note that is written now; `nil` if the log cannot be read. Before it, the streams are written if
  /// their list has changed.
  ///
  /// - Throws: the store's errors.
  func next() async throws -> LogReport? {
    guard let (report, streams) = try? await look() else { return nil }
    if let streams, let count = report.streams { try await write(streams, hash: count.sha256) }
    last = report
    return report
  }

  private func write(_ streams: (names: [String], since: Int64), hash: String) async throws {
    guard writtenHash != hash else { return }
    var next = try await known()
    if next.sha256 != hash || next.streams.isEmpty {
      next.update(streams.names, since: streams.since, now: now())
      try await store.writeNote(key, try next.json())
    }
    (record, writtenHash) = (next, hash)
  }

  /// What is there, perhaps of an earlier process; nothing of what cannot be understood.
  private func known() async throws -> ListedStreams {
    if let record { return record }
    let body = try await store.readNote(key)
    let there = body.flatMap { try? ListedStreams(json: $0) }
    return there.flatMap { $0.logID == logID.rawValue ? $0 : nil } ?? ListedStreams(logID: logID)
  }

  private func look() async throws -> (report: LogReport, streams: (names: [String], since: Int64)?) {
    let now = now()
    let status = try await reader.status(now: now)
    let streams = try await reader.streamList()
    let enabled = status.consumers.filter(\.isEnabled)
    let report = LogReport(
      host: process.host, version: process.version, shard: shard,
      feed: status.feed.hasNoEnd ? .running : streams == nil ? .none : .stopped,
      head: status.head.rawValue,
      consumers: Dictionary(
        enabled.map { consumer in
          (
            consumer.name.rawValue,
            LogReport.ConsumerState(
              lag: consumer.lag, ageSeconds: (consumer.oldestUnshippedSeconds * 1_000).rounded() / 1_000,
              held: consumer.hold?.why)
          )
        }
      ) { $1 },
      openGaps: LogReport.OpenGaps(
        count: status.openGaps.count, streams: Set(status.openGaps.flatMap(\.streams)).count,
        causes: Set(status.openGaps.map(\.cause.rawValue)).sorted()),
      streams: streams.map {
        LogReport.StreamCount(count: $0.names.count, sha256: ListedStreams.hash(of: $0.names))
      },
      firstTick: try await firstTick(status), lastTick: status.lastReceivedAt.map { NoteTime($0) },
      coveredUntil: try await coveredUntil(status).map { NoteTime($0) })
    return (report, streams)
  }

  private var shard: String? {
    switch process.share {
    case .all: nil
    case .shard(let shard): shard
    case .none: last?.shard
    }
  }

  /// It is known from the log until it is trimmed, and then from the note before.
  private func firstTick(_ status: LogStatus) async throws -> NoteTime? {
    guard status.oldest == .first else { return last?.firstTick }
    return try await reader.receivedAt(from: .first).map { NoteTime($0) }
  }

  /// Up to the newest tick that is delivered, and not beyond the beginning of a gap that the place does not know of yet.
  private func coveredUntil(_ status: LogStatus) async throws -> Int64? {
    guard let own = status.consumers.first(where: { $0.name == consumer }), own.next > .first else {
      return nil
    }
    let delivered =
      own.lag == 0
      ? status.lastReceivedAt : try await reader.receivedAt(from: own.next).map { $0.subtractingSaturated(1) }
    guard let delivered else { return nil }
    return min(delivered, try await firstUntold() ?? .max)
  }

  private func firstUntold() async throws -> Int64? {
    let ledger = try await reader.meta(GapLedger.metaKey(consumer)).flatMap { try? GapLedger(json: $0) }
    var gaps: [Gap] = []
    var next = ledger?.nextGap ?? Gap.ID(rawValue: 1)
    while true {
      let page = try await reader.gaps(from: next, atMost: 100)
      guard let last = page.last else { break }
      gaps += page
      next = Gap.ID(rawValue: last.id.rawValue + 1)
    }
    for id in try await reader.notOpen(of: ledger?.openGaps ?? []) {
      gaps += try await reader.gaps(from: id, atMost: 1).filter { $0.id == id }
    }
    return gaps.map(\.startedAt).min()
  }
}
