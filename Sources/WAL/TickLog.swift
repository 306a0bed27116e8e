import Base
import Logging
import Synchronization

/// The log: ticks in one SQLite file, appended by one writer, read by any number of readers.
///
/// Holds the lock on `WAL_PATH.lock` from `open` to `close`.
package final class TickLog: Sendable {
  package struct Options: Sendable {
    /// The limits at which a group is committed (`COMMIT_LINGER_MS`), and how much may wait for it.
    var limits = CommitQueue<WriteRequest>.Limits()
    var checkpoints = CheckpointSchedule()
    /// The count of ticks that are trimmed in one transaction.
    var trimStep = Trimmer.step
    var vacuum = VacuumSchedule()
    /// Name of a registered SQLite VFS; `nil` means the system's.
    package var vfs: String?
    /// Microseconds since 1970, UTC.
    package var wallClock: @Sendable () -> Int64 = WallClock.now
    /// By which ticks grow old.
    package var uptime: @Sendable () -> Uptime = Uptime.now
    /// The space of the log's file system; `nil` if that cannot be known.
    package var volume: @Sendable (_ path: String) -> Volume? = Volume.of
    /// The clock by which the volume has been short, or has had room.
    var volumeClock: @Sendable () -> Duration = MonotonicClock.now
    /// Between two tries to write where there was no room.
    var retryPause = Duration.seconds(1)

    package init() {
      // An fsync costs the same for all that has queued up during the one before.
      limits.groupTicks = 4_000
    }

    /// The time that the oldest request waits for others to share its commit.
    package var linger: Duration {
      get { limits.linger }
      set { limits.linger = newValue }
    }

    /// Bytes that may wait for a commit.
    package var queueCapacity: Int {
      get { limits.capacity }
      set { limits.capacity = newValue }
    }
  }

  package let path: String
  private let options: Options
  private let writer: LogWriter
  private let lock: LogLock

  init(path: String, options: Options, writer: LogWriter, lock: LogLock) {
    self.path = path
    self.options = options
    self.writer = writer
    self.lock = lock
  }

  /// The file that a path means: what belongs to a log lies beside that one, not beside a link to it.
  package static func file(of path: String) -> String { LogFile.resolve(path) }

  // MARK: Appending

  /// Queues ticks and rejected input without waiting; made for the thread that reads the socket.
  ///
  /// - Parameters:
  ///   - body: more to write in the same transaction, after the ticks; it may run more than once.
  ///   - completion: called on the writer's thread with the ticks' offsets once they are durable
  ///     (`nil` without ticks), or with what went wrong. Must not block.
  /// - Returns: `false` if the queue is full or the volume has no room for ticks: nothing was queued, ask
  ///   ``whenRoom(_:)``. In the second case the log itself writes a gap of cause `disk_full`, from the last data
  ///   to the first that is received afterwards.
  /// - Throws: the log was closed or has failed.
  package func tryAppend(
    _ ticks: TickBatch, rejected: [RejectedInput] = [],
    body: (@Sendable (WriteTransaction) throws -> Void)? = nil,
    completion: @escaping @Sendable (Result<OffsetRange?, any Error>) -> Void
  ) throws(LogError) -> Bool {
    try writer.submit(
      WriteRequest(ticks: ticks, rejected: rejected, body: body, completion: completion))
  }

  /// Calls back once when the queue is half empty and the volume has room, or when the log has ended; perhaps
  /// at once.
  package func whenRoom(_ callback: @escaping @Sendable () -> Void) {
    writer.whenRoom(callback)
  }

  /// Appends ticks; waits while the queue is full. When it returns, they are durable.
  ///
  /// - Parameter owner: whose dead letters the rejected input becomes.
  /// - Returns: their offsets, `nil` without ticks.
  @discardableResult
  package func append(
    _ ticks: TickBatch, rejected: [RejectedInput] = [], of owner: ConsumerName = .feed,
    body: (@Sendable (WriteTransaction) throws -> Void)? = nil
  ) async throws -> OffsetRange? {
    try await submit(WriteRequest(ticks: ticks, rejected: rejected, owner: owner, body: body) { _ in })
  }

  private func submit(_ request: WriteRequest) async throws -> OffsetRange? {
    while true {
      let range: OffsetRange?? = try await withCheckedThrowingContinuation { continuation in
        do {
          var request = request
          request.completion = { result in continuation.resume(with: result.map { .some($0) }) }
          let taken = try writer.submit(request)
          if !taken { continuation.resume(returning: .none) }
        } catch {
          continuation.resume(throwing: error)
        }
      }
      if let range { return range }
      await withCheckedContinuation { continuation in whenRoom { continuation.resume() } }
    }
  }

  /// Writes something other than ticks in the next group commit; durable when it returns.
  ///
  /// While the volume has no room for ticks it may overtake those that wait.
  ///
  /// - Parameters:
  ///   - isHurried: whether there was a ``hurry()`` that a patient write must not miss, asked as it is queued.
  ///   - body: runs on the writer's thread, more than once if the commit is retried; what it throws undoes what it
  ///     did, and only that.
  package func write<T: Sendable>(
    urgency: WriteUrgency = .usual, isHurried: (@Sendable () -> Bool)? = nil,
    _ body: @escaping @Sendable (WriteTransaction) throws -> T
  ) async throws -> T {
    let result = LastResult<T>()
    var request = WriteRequest(
      body: { transaction in result.set(try body(transaction)) }, completion: { _ in })
    request.mayPass = true
    request.urgency = urgency
    request.isHurried = isHurried
    _ = try await submit(request)
    guard let value = result.value else {
      preconditionFailure("the commit was confirmed without its body having run")
    }
    return value
  }

  /// Has the patient writes that wait by now committed at once.
  package func hurry() { writer.hurry() }

  // MARK: Looking

  /// The last durable offset.
  package var head: Offset { writer.head.value }

  /// Waits for a head that is wanted, and returns it.
  ///
  /// - Parameter isWanted: asked at once, at each commit of ticks, and after each ``recheckHead()``; must not ask the log.
  /// - Throws: `CancellationError`.
  package func head(when isWanted: @escaping @Sendable (Offset) -> Bool) async throws -> Offset {
    try await writer.head.wait(until: isWanted)
  }

  /// Has those who wait for the head look again.
  package func recheckHead() { writer.head.recheck() }

  /// The count of commits that have opened or closed gaps since the log was opened.
  package var gapChanges: Int { writer.gapChanges.value }

  /// Waits until there are more than so many, and returns their number.
  /// - Throws: `CancellationError`.
  package func gapChanges(beyond count: Int) async throws -> Int {
    try await writer.gapChanges.wait { $0 > count }
  }

  /// Whether the volume has no room for ticks: they are refused, or the commit of those taken is retried.
  package var isDiskFull: Bool { writer.isDiskFull }

  /// The bytes that wait for their commit, and how many may.
  package var queueBytes: (waiting: Int, capacity: Int) { writer.queueBytes }

  /// For how long the writer has been at one piece of work, a system call perhaps; nil while it waits for some.
  package var busyFor: WriterWork? { writer.work }

  /// The failure after which nothing can be written any more; nil as long as there is none.
  package var knownFailure: LogError? { writer.failure.value }

  /// The room on the log's volume as it was found last; nil before the first look.
  package var diskLevel: DiskLevel? { writer.diskLevel }

  /// Waits for the failure after which nothing can be written any more.
  /// - Throws: `CancellationError`.
  package func failure() async throws -> LogError { try await writer.failure.wait() }

  /// Waits until the log's files are found to have been removed, moved or replaced: nothing should be appended any
  /// more, and ``close()`` saves what there is.
  /// - Throws: `CancellationError`.
  package func loss() async throws -> LogLoss { try await writer.loss.wait() }

  /// The names that the log's files have lost; `nil` as long as they have them.
  package var knownLoss: LogLoss? { writer.loss.value }

  /// Opens a read-only connection with a thread of its own.
  ///
  /// - Throws: `lost` if the log's files have lost their names: a reader would open others.
  package func makeReader() async throws -> LogReader {
    if let loss = knownLoss {
      throw LogError(.lost, "the log's files were taken away beneath this process: \(loss); it ends")
    }
    return try await LogReader(path: path, vfs: options.vfs, isBesideWriter: true)
  }

  // MARK: Keeping its size

  /// Trims ticks from now on: those that every enabled consumer is past, appended longer ago than `retention`;
  /// without an enabled consumer, the old ones. And watches the volume: takes no ticks while it has too little
  /// room, and keeps a ballast beside the log. To be called when the consumers are enabled.
  package func startUpkeep(retention: Duration, disk: DiskLimits) {
    writer.startUpkeep(LogUpkeep.Settings(retention: retention, disk: disk))
  }

  /// Looks at once what there is to do, and waits until nothing is left of it.
  func upkeepDone() async throws {
    try await withCheckedThrowingContinuation { continuation in
      writer.whenUpkeepIsIdle { continuation.resume(with: $0) }
    }
  }

  // MARK: Ending

  /// Commits what is queued, copies SQLite's WAL into the file, closes it and gives up the lock.
  /// Readers must be closed before.
  ///
  /// - Throws: the failure that ended the writer, if there was one.
  package func close() async throws {
    writer.close()
    try await writer.ended.wait()
    lock.release()
    if let failure = writer.failure.value { throw failure }
  }
}

/// The result that the body of a write returned when it ran last.
private final class LastResult<T: Sendable>: Sendable {
  private let state = Mutex<T?>(nil)

  func set(_ value: T) { state.withLock { $0 = value } }
  var value: T? { state.withLock { $0 } }
}
