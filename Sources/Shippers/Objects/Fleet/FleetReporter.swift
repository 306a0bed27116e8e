import Base
import Logging
import WAL

/// Tells, beside the objects, how a log and its process are: what its note says, and which streams it has.
///
/// Shipping never depends on it: the report is made of the log alone, and the list of streams, which is tried once before
/// a note that speaks of it, has a loop of its own.
actor FleetReporter {
  private let consumer: ConsumerName
  private let logID: LogID
  private let process: ProcessIdentity
  private let store: any ObjectStore
  private let settings: ObjectSettings
  private let reader: LogReader
  private let clock: ShippingClock
  /// The newest report that could be made, or the one that was there at the start.
  private var last: LogReport?
  /// The report in the last note.
  private var told: LogReport?
  /// The list as it was written last, or found, and when; on the monotonic clock.
  private var list: (streams: ListedStreams, writtenAt: Duration)?

  /// First ticks that the list does not tell of yet.
  private var first: [String: Int64] = [:]
  /// Ticks before this one are not looked at for first ones; `nil` before the first look.
  private var looked: Offset?
  private var left: [String: Int64] = [:]

  /// Ticks that are looked at each time for first ones.
  static let ticksALook = 100_000
  /// A stream of which nothing comes for so long is quiet. It counts from then on: who is not granted it knows by now,
  /// and has a gap; microseconds.
  static let quiet: Int64 = 600_000_000
  /// By how much a clock may have been set back without a tick being overlooked for it; microseconds.
  private static let clockMargin: Int64 = 60_000_000

  /// Grows when a look finds that the list is to be written.
  private nonisolated let wanted = Watch(0)
  /// Whether the list is being written: two at once would each tell first ticks, and only one of them lie there.
  private nonisolated let isWriting = Watch(false)

  /// A list that has not changed is written again after this time: a lifecycle rule may have taken it.
  static let renewal = Duration.seconds(86_400)

  /// - Parameter reader: one that the data does not wait for.
  init(
    consumer: ConsumerName, logID: LogID, process: ProcessIdentity, settings: ObjectSettings,
    store: any ObjectStore, reader: LogReader, clock: ShippingClock
  ) {
    self.consumer = consumer
    self.logID = logID
    self.process = process
    self.store = store
    self.settings = settings
    self.reader = reader
    self.clock = clock
  }

  // MARK: The note

  /// - Parameter note: the one that is there before this process writes its own.
  func begin(after note: LeaseNote?) {
    if let note, note.logID == logID.rawValue { last = note.report }
  }

  /// Whether a note would say something for which one would not wait five minutes. A log that cannot be read has no
  /// news: what is wrong with it is said elsewhere.
  func hasNews() async -> Bool {
    guard let report = try? await look() else { return false }
    return told.map { report.matters(after: $0) } ?? true
  }

  /// The report for a note that is written now; the one before if the log cannot be read, which claims no more than
  /// was true then.
  ///
  /// The list that it speaks of is written first, so that no reader finds a note without its list. A list that cannot
  /// be written holds up no note: the note is what guards the log, and what `fleet` says of it then is true.
  func next() async -> LogReport? {
    if let report = try? await look() { last = report }
    if let streams = last?.streams, isDue(streams.sha256) {
      do {
        try await writeList()
      } catch {
        // ``keepList(_:_:)``, which the look has woken, tries on and says so.
      }
    }
    told = last
    return last
  }

  /// Tells that another log of this `log_id` ships here, so that this one does not.
  func tellHeld(_ why: String) async {
    let note = HeldNote(
      logID: logID.rawValue, host: process.host, why: why, writtenAt: NoteTime(clock.wall()))
    do {
      try await store.writeNote(ObjectKey.held(logID: logID, settings: settings), try note.json())
    } catch {
      // The next look, in a minute, tries again. That it is held is said by whoever holds it.
    }
  }

  // MARK: The list of streams

  private nonisolated var listKey: String { ObjectKey.streams(logID: logID, settings: settings) }

  /// Writes the list when it has changed, until it is cancelled.
  ///
  /// - Throws: `CancellationError`, `ShippingStopped`.
  nonisolated func keepList(_ lease: Lease, _ attempts: Attempts) async throws {
    var seen = 0
    while true {
      seen = try await wanted.wait { [seen] in $0 != seen }
      // A copy of a log must not tell of the other's streams.
      try await lease.held()
      try await attempts.untilDone("write the list of streams", key: listKey) { try await writeList() }
    }
  }

  /// Tries once, at shutdown. Says so if it cannot.
  func writeLastList(_ lease: Lease, logger: Logger) async {
    guard lease.isHeld else { return }
    // What has come since the last look belongs to it.
    _ = await hasNews()
    do {
      try await writeList()
    } catch {
      logger.warning(
        "could not write which streams this log has; the next start does",
        metadata: ["key": "\(listKey)", "error": "\(error)"])
    }
  }

  private func writeList() async throws {
    while isWriting.value { _ = try await isWriting.wait { !$0 } }
    isWriting.update { $0 = true }
    defer { isWriting.update { $0 = false } }
    guard let (names, since) = try await reader.streamList() else { return }
    let hash = ListedStreams.hash(of: names)
    guard isDue(hash) else { return }
    var next = try await knownList()
    if next.sha256 != hash || next.streams.isEmpty || list != nil || next.wasLeft(left) {
      let told = first
      next.update(names, since: since, left: left, now: clock.wall())
      next.received(told, now: clock.wall())
      try await store.writeNote(listKey, try next.json())
      for name in told.keys { first[name] = nil }
    }
    list = (next, clock.now())
  }

  private func isDue(_ hash: String) -> Bool {
    guard let list else { return true }
    return list.streams.sha256 != hash || clock.now() - list.writtenAt >= Self.renewal || !first.isEmpty
      || list.streams.wasLeft(left)
  }

  /// Looks for the first ticks of streams that are new in the list. It is known by then, or this finds none.
  private func lookForFirstTicks(_ status: LogStatus, _ hash: String) async throws {
    // Until the list has the new streams nothing is passed over: their ticks may be there.
    guard let list, list.streams.sha256 == hash, !list.streams.wasLeft(left) else { return }
    let awaited = list.streams.awaited.filter { first[$0.key] == nil }
    guard !awaited.isEmpty else {
      looked = status.head.next
      return
    }
    if looked == nil, let since = awaited.values.min() {
      looked = try await reader.offset(
        near: since.subtractingSaturated(Self.clockMargin), through: status.head)
    }
    let found = try await reader.firstTicks(
      of: awaited, from: looked ?? .first, atMost: Self.ticksALook)
    looked = found.next
    first.merge(found.first) { one, _ in one }
    guard let newest = found.newest else { return }
    for (name, since) in awaited where newest.subtractingSaturated(since) >= Self.quiet {
      first[name] = first[name] ?? newest
    }
  }

  /// The list that is there, perhaps of an earlier process; an empty one in place of what cannot be understood.
  private func knownList() async throws -> ListedStreams {
    if let list { return list.streams }
    var body: [UInt8]?
    do { body = try await store.readNote(listKey) } catch is NoteTooLarge {}
    let there = body.flatMap { try? ListedStreams(json: $0) }
    return there.flatMap { $0.logID == logID.rawValue ? $0 : nil } ?? ListedStreams(logID: logID)
  }

  // MARK: The report

  private func look() async throws -> LogReport {
    // First: what is released while the rest is read has its gap, or is bounded by it.
    let watermark = try await reader.feedWatermark()
    let status = try await reader.status(now: clock.wall())
    let streams = try await reader.streamList()
    let enabled = status.consumers.filter(\.isEnabled)
    // A feed that was stopped in order leaves one, which the next start ends.
    let open = status.openGaps.filter { status.feed.hasNoEnd || $0.cause != .shutdown }
    let passed = try await reader.passedOver(by: consumer)
    let count = streams.map {
      LogReport.StreamCount(count: $0.names.count, sha256: ListedStreams.hash(of: $0.names))
    }
    left = try await reader.streamsLeft()
    if let count {
      try await lookForFirstTicks(status, count.sha256)
      if isDue(count.sha256) { wanted.update { $0 += 1 } }
    }
    return LogReport(
      host: process.host, version: process.version, shard: shard,
      feed: status.feed.hasNoEnd ? .running : streams == nil ? .none : .stopped,
      head: status.head.rawValue,
      consumers: Dictionary(
        enabled.map { consumer in
          (
            consumer.name.rawValue,
            LogReport.ConsumerState(
              lag: consumer.lag, ageSeconds: (consumer.oldestUnshippedSeconds * 1_000).rounded() / 1_000,
              held: consumer.hold?.why,
              mayWaitSeconds: consumer.name == self.consumer ? settings.maximumWait / .seconds(1) : nil)
          )
        }
      ) { $1 },
      openGaps: LogReport.OpenGaps(
        count: open.count, streams: Set(open.flatMap(\.streams)).count,
        causes: Set(open.map(\.cause.rawValue)).sorted()),
      gapBounds: try await gapBounds(watermark), streams: count,
      firstTick: try await firstTick(status), lastTick: status.lastReceivedAt.map { NoteTime($0) },
      coveredUntil: try await coveredUntil(status, watermark).map { NoteTime($0) },
      passedOver: passed.map { LogReport.PassedOver(ticks: $0.ticks, newest: NoteTime($0.newest)) })
  }

  private func gapBounds(_ watermark: Int64?) async throws -> LogReport.GapBounds? {
    let kept = try await reader.gapBounds()
    // Of those that the log keeps no more the note before tells.
    let next = try await ledger()?.nextGap
    guard last?.gapBounds != nil || (kept.first ?? next)?.rawValue ?? 1 == 1 else { return nil }
    let seconds = (Double(kept.longest) / 1_000).rounded(.up) / 1_000
    return LogReport.GapBounds(
      longestSeconds: max(seconds, last?.gapBounds?.longestSeconds ?? 0),
      oldestOpen: [kept.oldestOpen, watermark].compactMap { $0 }.min().map { NoteTime($0) })
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

  /// Up to the newest tick that is delivered, and not beyond what the feed vouches for, or the beginning of a gap that
  /// the place does not know of yet.
  private func coveredUntil(_ status: LogStatus, _ watermark: Int64?) async throws -> Int64? {
    guard let own = status.consumers.first(where: { $0.name == consumer }), own.next > .first else {
      return nil
    }
    let delivered =
      own.lag == 0
      ? status.lastReceivedAt : try await reader.receivedAt(from: own.next).map { $0.subtractingSaturated(1) }
    guard let delivered else { return nil }
    return min(delivered, watermark ?? .max, try await firstUntold() ?? .max)
  }

  /// Causes of gaps that may change after their end. All others whose end is not told yet are told as open, which claims
  /// less than is there.
  private static let extended: Set<Gap.Cause> = [.sequence, .diskFull, .queueFull]

  private func ledger() async throws -> GapLedger? {
    try await reader.meta(GapLedger.metaKey(consumer)).flatMap { try? GapLedger(json: $0) }
  }

  private func firstUntold() async throws -> Int64? {
    let ledger = try await ledger()
    var first: Int64?
    var next = ledger?.nextGap ?? Gap.ID(rawValue: 1)
    while true {
      let page = try await reader.gaps(from: next, atMost: 100)
      guard let last = page.last else { break }
      first = page.reduce(first) { min($0 ?? .max, $1.startedAt) }
      next = Gap.ID(rawValue: last.id.rawValue.addingSaturated(1))
    }
    for id in try await reader.notOpen(of: ledger?.openGaps ?? []) {
      let gap = try await reader.gaps(from: id, atMost: 1).first
      guard let gap, gap.id == id, Self.extended.contains(gap.cause) else { continue }
      first = min(first ?? .max, gap.startedAt)
    }
    return first
  }
}
