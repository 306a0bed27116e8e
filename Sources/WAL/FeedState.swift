import Base

/// The state that a feed finds in the log when it starts.
package struct FeedStart: Sendable, Equatable {
  /// The gaps that earlier runs left open, oldest first.
  package var openGaps: [Gap]
  /// The last feed did not end in order: its process was killed, or the machine stopped.
  package var wasKilled: Bool
  /// The time since each attempt to connect that is kept, the oldest first.
  package var attemptAges: [Duration]
  /// Microseconds since 1970, UTC: before that the exchange does not want to be asked; `nil` if it never said so.
  package var heldUntil: Int64?

  package init(
    openGaps: [Gap] = [], wasKilled: Bool = false, attemptAges: [Duration] = [], heldUntil: Int64? = nil
  ) {
    self.openGaps = openGaps
    self.wasKilled = wasKilled
    self.attemptAges = attemptAges
    self.heldUntil = heldUntil
  }
}

/// The attempts to connect that the log keeps over a restart, as many and as long as an exchange counts them.
package struct AttemptMemory: Sendable, Equatable {
  package var count: Int
  package var window: Duration

  package init(count: Int, window: Duration) {
    self.count = count
    self.window = window
  }
}

/// The state of a planned connection when the feed ended.
package struct FeedEnd: Sendable, Equatable {
  package var streams: [String]
  /// Microseconds since 1970, UTC: the last data of this run, or its start before any; `nil` in a log of a version
  /// that kept no start.
  package var lastDataAt: Int64?

  package init(streams: [String], lastDataAt: Int64?) {
    self.streams = streams
    self.lastDataAt = lastDataAt
  }
}

extension TickLog {
  /// Says that a feed starts now, and finds what the last one left; durable when it returns.
  ///
  /// A feed that ended in order left open gaps of cause `shutdown` (or whatever was open then). One that was
  /// killed left none for what it was receiving: a gap of cause `crash` is opened for each slot, from where
  /// ``WriteTransaction/setWatermark(of:to:)`` ended or else from where the slot began, for the streams that no open
  /// gap names. If another log was here before this one, a gap for all streams begins where that one was left.
  ///
  /// - Parameters:
  ///   - streams: what the feed is going to subscribe to.
  ///   - attempts: those that are still wanted.
  package func beginFeed(streams: [String], attempts memory: AttemptMemory) async throws -> FeedStart {
    try await write { transaction in
      let wasKilled = try transaction.connection.meta(.feed) == FeedMeta.running
      if wasKilled { try transaction.openCrashGaps() }
      try transaction.openPredecessorGap(streams)
      try transaction.connection.setMeta(.feed, FeedMeta.running)
      try transaction.connection.countStreamTime(at: transaction.now)
      try transaction.connection.noteLeft(for: streams, at: transaction.now)
      try transaction.connection.setMeta(.streams, MetaList(streams))
      try transaction.connection.setFeedSlots([:], at: transaction.now)
      // Written back, so that times which a clock set back has put into the future grow old like others.
      let attempts = try transaction.recentAttempts(memory, at: transaction.now)
      try transaction.setAttempts(attempts, memory)
      return FeedStart(
        openGaps: try transaction.openGaps(), wasKilled: wasKilled,
        attemptAges: attempts.map { .microseconds(transaction.now.subtractingSaturated($0)) },
        heldUntil: try transaction.connection.meta(.feedHold))
    }
  }

  /// Says that the feed has ended in order; durable when it returns.
  ///
  /// Opens a gap of cause `shutdown` for each slot, unless open gaps name all its streams.
  package func endFeed(slots: [FeedEnd]) async throws {
    try await write { transaction in
      for slot in slots {
        guard let lastDataAt = slot.lastDataAt, try !transaction.isMissing(slot.streams) else { continue }
        _ = try transaction.openGap(startedAt: lastDataAt, cause: .shutdown, streams: slot.streams)
      }
      try transaction.connection.setMeta(.feed, FeedMeta.stopped)
    }
  }

  /// Writes down that an attempt to connect is about to be made, so that a restart counts it as well.
  ///
  /// - Parameters:
  ///   - time: microseconds since 1970, UTC.
  ///   - memory: the attempts that are kept, this one included.
  ///   - completion: called once, on the writer's thread or at once: it is durable, or the log has failed.
  package func recordAttempt(
    at time: Int64, keeping memory: AttemptMemory,
    completion: @escaping @Sendable (Result<Void, any Error>) -> Void
  ) {
    note(completion) { try $0.setAttempts($0.recentAttempts(memory, at: time) + [time], memory) }
  }

  /// Writes down that the exchange does not want to be asked for a while, so that a restart waits as well.
  ///
  /// - Parameters:
  ///   - time: microseconds since 1970, UTC.
  ///   - completion: called once, on the writer's thread or at once: it is durable, or the log has failed.
  package func recordHold(
    until time: Int64, completion: @escaping @Sendable (Result<Void, any Error>) -> Void
  ) {
    note(completion) { try $0.connection.setMeta(.feedHold, time) }
  }

  /// Writes down what the feed subscribes to from now on, before any attempt to connect for it: a feed that is
  /// killed before its first tick has missed some, too.
  ///
  /// - Parameters:
  ///   - streams: the list, as it was given.
  ///   - slots: the same streams by the number of the connection that is to carry them.
  ///   - completion: called once, on the writer's thread or at once: it is durable, or the log has failed.
  package func setStreams(
    _ streams: [String], slots: [Int: [String]],
    completion: @escaping @Sendable (Result<Void, any Error>) -> Void
  ) {
    note(completion) { transaction in
      try transaction.connection.countStreamTime(at: transaction.now)
      try transaction.connection.noteLeft(for: streams, at: transaction.now)
      try transaction.connection.setMeta(.streams, MetaList(streams))
      try transaction.connection.setFeedSlots(slots, at: transaction.now)
    }
  }

  private func note(
    _ completion: @escaping @Sendable (Result<Void, any Error>) -> Void,
    _ body: @escaping @Sendable (WriteTransaction) throws -> Void
  ) {
    do {
      let taken = try tryAppend(TickBatch(), body: body) { completion($0.map { _ in }) }
      precondition(taken, "a request without ticks takes no room in the queue")
    } catch {
      completion(.failure(error))
    }
  }

  /// The list of streams that a feed subscribed to last.
  package func lastKnownStreams() async throws -> [String]? {
    try await write { try $0.lastKnownStreams() }
  }
}

extension WriteTransaction {
  func lastKnownStreams() throws -> [String]? {
    try connection.metaList(.streams)
  }

  /// Says that of the slot's streams nothing is missing up to a time, unless a gap says so: there a gap begins
  /// if the process is killed. To be written with the ticks that it speaks of.
  ///
  /// - Parameter time: microseconds since 1970, UTC.
  package func setWatermark(of slot: Int, to time: Int64) throws {
    try connection.setMeta(.feedData(slot), String(time))
  }
}

extension WriteTransaction {
  fileprivate func openCrashGaps() throws {
    for slot in try connection.feedSlots() {
      guard let lastDataAt = slot.lastDataAt, try !isMissing(slot.streams) else { continue }
      _ = try openGap(startedAt: lastDataAt, cause: .crash, streams: withoutOpenGap(slot.streams))
    }
  }

  fileprivate func openPredecessorGap(_ streams: [String]) throws {
    guard let text = try connection.meta(.predecessorLeft) else { return }
    try connection.removeMeta(MetaKey<String>.predecessorLeft.name)
    guard let left = PredecessorLeft(text: text) else { return }
    _ = try openGap(startedAt: min(left.at, now), cause: left.cause, streams: streams)
  }

  /// Whether open gaps name all of the streams. An empty list stands for streams that nobody has named.
  fileprivate func isMissing(_ streams: [String]) throws -> Bool {
    try !openGaps().isEmpty && withoutOpenGap(streams).isEmpty
  }

  /// Those of the streams that no open gap names.
  fileprivate func withoutOpenGap(_ streams: [String]) throws -> [String] {
    let named = try Set(openGaps().flatMap(\.streams))
    return streams.filter { !named.contains($0) }
  }

  /// Microseconds since 1970, UTC, oldest first; none of them after `now`.
  fileprivate func recentAttempts(_ memory: AttemptMemory, at now: Int64) throws -> [Int64] {
    try (connection.metaList(.feedAttempts) ?? []).compactMap { Int64($0) }
      .filter { .microseconds(now.subtractingSaturated($0)) < memory.window }
      .map { min($0, now) }
  }

  fileprivate func setAttempts(_ attempts: [Int64], _ memory: AttemptMemory) throws {
    let newest = attempts.suffix(memory.count).map(String.init)
    try connection.setMeta(.feedAttempts, MetaList(json: "[" + newest.joined(separator: ",") + "]"))
  }
}

/// The time at which a log was left that lay where this one is: what followed is missing here until a feed delivers.
struct PredecessorLeft: Equatable {
  /// Microseconds since 1970, UTC.
  let at: Int64
  /// `shutdown` if it was closed in order, else `crash`.
  let cause: Gap.Cause

  init(at: Int64, cause: Gap.Cause) {
    self.at = at
    self.cause = cause
  }

  init?(text: String) {
    let words = text.split(separator: " ")
    guard words.count == 2, let at = Int64(words[0]), words[1] == "shutdown" || words[1] == "crash" else {
      return nil
    }
    self.init(at: at, cause: Gap.Cause(rawValue: String(words[1])))
  }

  var text: String { "\(at) \(cause.rawValue)" }
}

/// The values of `meta.feed`.
enum FeedMeta {
  static let running = "running"
  static let stopped = "stopped"
}
