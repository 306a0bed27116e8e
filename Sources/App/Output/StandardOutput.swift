import Base
import Glibc

/// Stdout: what is written there is data, which waits for its reader and is never dropped. A thread of its own
/// writes it, so that whoever waits can be called off; it holds nothing else meanwhile.
final class StandardOutput: Sendable {
  static let shared = StandardOutput(descriptor: STDOUT_FILENO)

  /// The end of a reader that has seen enough, as `head` does.
  struct ReaderIsGone: Error {}

  private struct Job {
    let bytes: [UInt8]
    /// Set to 0, or to the value of `errno`.
    let result: Latch<Int32>
  }

  private struct State {
    var jobs: [Job] = []
    var isWriting = false
    var hasThread = false
    var isClosing = false
    var wasUsed = false
    /// The result of the picture that was offered last.
    var picture: Latch<Int32>?
    var last: [UInt8] = []
  }

  private let descriptor: Int32
  private let state = Monitor(State())

  init(descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit {
    state.withLock { $0.isClosing = true }
    state.signal()
  }

  /// Whether whoever read a pipe has closed it: a writer that has nothing to write finds it out no other way.
  ///
  /// Reference: poll(2), POLLERR.
  static func hasNoReader(_ descriptor: Int32) -> Bool {
    var looking = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&looking, 1, 0) == 1 && looking.revents & Int16(POLLERR | POLLHUP) != 0
  }

  /// Whether anything was given to be written.
  var wasUsed: Bool { state.withLock { $0.wasUsed } }

  /// Returns when the reader has taken everything.
  ///
  /// - Throws: `ReaderIsGone`; `CommandFailure` (1) where it cannot be written; `CancellationError`.
  func write(_ bytes: [UInt8]) async throws {
    let result = try submit(bytes)
    switch try await result.wait() {
    case 0: break
    case EPIPE: throw ReaderIsGone()
    case let code: throw CommandFailure(.problems, "stdout cannot be written: \(SystemError.text(code))")
    }
  }

  /// Writes lines for people, each with what is not printable as escapes. A reader that is gone is no failure.
  func say(_ lines: [String]) async throws {
    try await finish(lines.map { Text.oneLine($0, limit: .max) + "\n" }.joined())
  }

  func say(_ line: String) async throws { try await say([line]) }

  /// Writes a document on several lines. A reader that is gone is no failure.
  func write(_ document: JSONDocument) async throws { try await finish(document.prettyText + "\n") }

  /// Writes a picture that the next one replaces, unless the reader has not taken the one before.
  ///
  /// - Throws: `ReaderIsGone`.
  func offer(_ picture: String) throws {
    let (isBusy, last) = state.withLock { ($0.isWriting || !$0.jobs.isEmpty, $0.picture?.value) }
    // Of a terminal that was closed.
    if last == EPIPE || last == EIO { throw ReaderIsGone() }
    if isBusy { return }
    let result = try submit(Array(picture.utf8))
    state.withLock { $0.picture = result }
  }

  /// Has these bytes written at the end of the process, whichever way it comes.
  func atEnd(_ bytes: [UInt8]) { state.withLock { $0.last = bytes } }

  /// Writes what was to be written at the end, if it is taken within a time. What still waits is left out.
  func end(within time: Duration) {
    let deadline = MonotonicClock.now() + time
    let isWanted = state.withLock { state in
      guard !state.last.isEmpty, state.hasThread else { return false }
      state.jobs = [Job(bytes: state.last, result: Latch())]
      state.last = []
      return true
    }
    guard isWanted else { return }
    state.signal()
    state.wait { state -> Monitor<State>.Step<Void> in
      let left = deadline - MonotonicClock.now()
      return state.jobs.isEmpty && !state.isWriting || left <= .zero ? .done(()) : .sleepFor(left)
    }
  }

  private func finish(_ text: String) async throws {
    do {
      try await write(Array(text.utf8))
    } catch is ReaderIsGone {}
  }

  /// The queue needs no bound: everybody waits for their own, and pictures are offered to an empty one.
  private func submit(_ bytes: [UInt8]) throws -> Latch<Int32> {
    let result = Latch<Int32>()
    let needsThread = state.withLock { state in
      state.jobs.append(Job(bytes: bytes, result: result))
      state.wasUsed = true
      defer { state.hasThread = true }
      return !state.hasThread
    }
    state.signal()
    if needsThread { try start() }
    return result
  }

  private func start() throws(SystemError) {
    _ = try DedicatedThread(named: "stdout") { [state, descriptor] in
      while let job = state.wait(Self.next) {
        let isWritten = job.bytes.withUnsafeBytes { FileBytes.write($0, to: descriptor, patience: -1) }
        let code = isWritten ? 0 : errno
        state.withLock { $0.isWriting = false }
        state.signal()
        job.result.set(code)
      }
    }
  }

  @Sendable private static func next(_ state: inout State) -> Monitor<State>.Step<Job?> {
    guard state.jobs.isEmpty else {
      state.isWriting = true
      return .done(state.jobs.removeFirst())
    }
    return state.isClosing ? .done(nil) : .sleep
  }
}
