import Base
import Ticks
import WAL

/// An import of JSON Lines, plain or gzip, into the log.
///
/// Each commit stores with the ticks how far the file was read, so that an interrupted import of the same
/// file goes on there and no tick is imported twice.
package actor FileImport {
  /// The progress of an import.
  package struct Progress: Sendable, Equatable {
    /// Bytes of the file that were read, compressed if it is.
    package var bytesRead = 0
    package var ticks = 0
    /// Input that was no tick, kept as dead letters of consumer `import`.
    package var rejected = 0
    /// Lines that an earlier import had finished.
    package var resumedLines = 0
    package var first: Offset?
    package var last: Offset?
  }

  private let executor: ThreadExecutor
  package nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let path: String
  private let sha256: String?
  private let log: TickLog
  private let wallClock: @Sendable () -> Int64

  private var splitter = LineSplitter()
  private var decoder = MessageDecoder()
  private var batch = TickBatch()
  private var rejected: [RejectedInput] = []
  private var lines = 0
  private var proof = ImportProof()
  private var progress = Progress()

  /// The size of a commit. Nobody waits for a tick of a file, and an fsync costs little more for many: it is as large as
  /// memory is to be spent on it, for one that is on its way and one that is made.
  private static let ticksPerCommit = 8_000
  private static let bytesPerCommit = 2 << 20
  private static let rejectsPerCommit = 1_000
  /// The bytes of a line that is too long that are kept.
  private static let keptOfLongLine = 64 << 10

  /// - Parameters:
  ///   - path: `-` for stdin.
  ///   - sha256: of the file as it is, lower-case hex; `nil` for stdin and pipes, which cannot be resumed.
  ///   - wallClock: microseconds since 1970, UTC: the time of receipt of what is imported.
  package init(
    path: String, sha256: String?, log: TickLog, wallClock: @escaping @Sendable () -> Int64 = WallClock.now
  ) throws {
    executor = try ThreadExecutor(named: "import")
    self.path = path
    self.sha256 = sha256
    self.log = log
    self.wallClock = wallClock
  }

  /// Imports to the end; what was read is durable when it returns or throws. Of a file whose beginning has no tick
  /// nothing is kept, see ``ImportProof``.
  ///
  /// - Parameters:
  ///   - again: start over, also a file that was imported to its end.
  ///   - force: take the file for what it is said to be.
  ///   - report: called after each commit.
  /// - Throws: `ImportError`, `LogError`, `CancellationError`.
  package func run(again: Bool, force: Bool = false, report: @Sendable (Progress) -> Void) async throws
    -> Progress
  {
    let source = try ByteSource(path: path)
    let start = again ? ImportMark.start : try await mark()
    guard !start.isDone else {
      throw ImportError(
        .alreadyImported, "\(path) was imported to its end before; use --again to import it once more")
    }
    progress.resumedLines = start.lines
    if force || start.lines > 0 { proof.isThere = true }
    // What is read next is taken apart while the last part is committed: one commit at a time, in their order.
    try await withThrowingTaskGroup(of: Committed.self) { commits in
      var isLast = false
      while !isLast {
        isLast = try !splitter.fill { try source.read(into: &$0) }
        progress.bytesRead = source.bytesRead
        while let line = splitter.next(isLast: isLast) {
          lines += 1
          if lines > start.lines { try take(line) }
          if isFull, proof.isThere {
            try await finish(&commits, report)
            begin(&commits, ImportMark(lines: lines))
          }
        }
        try Task.checkCancellation()
      }
      if let refusal = proof.ended() { throw noTicks(refusal) }
      try await finish(&commits, report)
      begin(&commits, ImportMark(lines: lines, isDone: true))
      try await finish(&commits, report)
    }
    return progress
  }

  private var isFull: Bool {
    batch.count >= Self.ticksPerCommit || batch.byteCount >= Self.bytesPerCommit
      || rejected.count >= Self.rejectsPerCommit
  }

  private func take(_ line: LineSplitter.Line) throws {
    let bytes: Int
    switch line {
    case .tooLong(let range):
      bytes = Self.keptOfLongLine
      rejected.append(
        RejectedInput(
          payload: Array(splitter.bytes(range).prefix(Self.keptOfLongLine)),
          cause: "line \(lines) has more than \(Figures.bytes(LineSplitter.maximumLine))"))
    case .whole(let range):
      var line = splitter.bytes(range)
      if lines == 1, line.starts(with: Self.byteOrderMark) { line = line.dropFirst(3) }
      guard line.contains(where: { $0 > 0x20 }) else { return }
      bytes = line.count
      let now = wallClock()
      line.withUnsafeBufferPointer { line in
        _ = decoder.decode(line, receivedAt: now, into: &batch, rejected: &rejected)
      }
    }
    if let refusal = proof.took(bytes: bytes, isTick: !batch.isEmpty) { throw noTicks(refusal) }
  }

  private func noTicks(_ refusal: ImportProof.Refusal) -> ImportError {
    var why = rejected.first.map { "; the first: \($0.cause)" } ?? ""
    if let first = rejected.first,
      String(decoding: first.payload, as: UTF8.self).contains("\"iso_timestamp\":")
    {
      why +=
        ", and a row as in S3 objects, which was delivered already: what is imported is what an exchange sends"
    }
    return ImportError(
      .noTicks,
      "\(refusal.description) of \(path == "-" ? "stdin" : path) is a tick\(why). Nothing was imported; if that is what "
        + "the file should hold, use --force")
  }

  private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

  private struct Committed: Sendable {
    var ticks: Int
    var rejected: Int
    var range: OffsetRange?
  }

  /// Begins to commit what was read; ``finish(_:_:)`` waits until it is durable.
  private func begin(_ commits: inout ThrowingTaskGroup<Committed, any Error>, _ mark: ImportMark) {
    let (key, batch, rejected, log) = (sha256.map(ImportMark.key), batch, rejected, log)
    commits.addTask {
      let range = try await log.append(batch, rejected: rejected, of: .fileImport) { transaction in
        if let key { try transaction.setMeta(key, mark.text) }
      }
      return Committed(ticks: batch.count, rejected: rejected.count, range: range)
    }
    self.batch = TickBatch()
    self.batch.reserveCapacity(ticks: batch.count, bytes: batch.byteCount)
    self.rejected = []
  }

  private func finish(
    _ commits: inout ThrowingTaskGroup<Committed, any Error>, _ report: @Sendable (Progress) -> Void
  ) async throws {
    guard let committed = try await commits.next() else { return }
    progress.ticks += committed.ticks
    progress.rejected += committed.rejected
    progress.first = progress.first ?? committed.range?.lowerBound
    progress.last = committed.range?.upperBound ?? progress.last
    report(progress)
  }

  private func mark() async throws -> ImportMark {
    guard let sha256 else { return .start }
    let text = try await log.write { try $0.meta(ImportMark.key(sha256)) }
    return text.flatMap(ImportMark.init(text:)) ?? .start
  }
}

/// The mark up to which a file was imported, as it is kept in the log: `1234` or `1234 done`.
struct ImportMark: Sendable, Equatable {
  static let start = ImportMark(lines: 0)

  var lines: Int
  var isDone = false

  init(lines: Int, isDone: Bool = false) {
    self.lines = lines
    self.isDone = isDone
  }

  init?(text: String) {
    let words = text.split(separator: " ")
    guard let first = words.first, let lines = DecimalDigits.parse(first, upTo: Int.max) else { return nil }
    self.init(lines: lines, isDone: words.dropFirst().first == "done")
  }

  var text: String { isDone ? "\(lines) done" : "\(lines)" }

  /// - Parameter sha256: of the file.
  static func key(_ sha256: String) -> String { "import \(sha256)" }
}
