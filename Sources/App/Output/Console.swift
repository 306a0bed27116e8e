import Base
import Glibc
import Logging

/// Lines on stderr, and below them, on a terminal, one line of progress that is redrawn in place.
///
/// Whoever writes waits for nobody: a thread of its own writes what ``MessageQueue`` holds, so that a stderr that
/// takes nothing holds up nothing else. Whole lines go out in one `write(2)`, so that those of several threads never mix.
final class Console: Sendable {
  static let standardError = Console(descriptor: STDERR_FILENO)

  private struct State {
    var queue = MessageQueue()
    var hasThread = false
    var isClosing = false
    var notice: @Sendable (Int) -> String = { "tickwal: \(Console.notice($0))" }

    mutating func take() -> [UInt8]? { queue.take(notice: notice) }
  }

  /// Whether somebody may be watching; decided once.
  let isTerminal: Bool
  /// Colours where they are welcome, priorities for the journal. Reference: no-color.org.
  let style: LineStyle
  private let descriptor: Int32
  private let state = Monitor(State())

  init(descriptor: Int32) {
    self.descriptor = descriptor
    let term = getenv("TERM").map { String(cString: $0) } ?? ""
    isTerminal = isatty(descriptor) == 1 && term != "dumb" && !term.isEmpty
    var info = stat()
    let journal = getenv("JOURNAL_STREAM").map { String(cString: $0) }
    if journal != nil, fstat(descriptor, &info) == 0,
      LineStyle.isJournal(journal, device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
    {
      style = .journal
    } else {
      style = isTerminal && (getenv("NO_COLOR").map { $0.pointee == 0 } ?? true) ? .coloured : .plain
    }
  }

  deinit {
    state.withLock { $0.isClosing = true }
    state.signal()
  }

  /// Columns now; 80 where that cannot be asked.
  var width: Int { size.map { Int($0.ws_col) } ?? 80 }
  /// Lines now; 24 where that cannot be asked.
  var height: Int { size.flatMap { $0.ws_row > 0 ? Int($0.ws_row) : nil } ?? 24 }

  private var size: winsize? {
    var size = winsize()
    return ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? size : nil
  }

  /// The number of lines that were dropped because stderr did not take them.
  var droppedLines: Int { state.withLock { $0.queue.dropped } }

  /// The words for lines that were dropped.
  static func notice(_ count: Int) -> String {
    "\(Figures.grouped(count)) \(count == 1 ? "message was" : "messages were") dropped while stderr did not take them"
  }

  /// Gives the notice of dropped lines the form of the others.
  func sayDropped(as notice: @escaping @Sendable (Int) -> String) {
    state.withLock { $0.notice = notice }
  }

  /// Writes a line, keeping the progress line below it; what is not printable in it as escapes.
  ///
  /// - Parameter level: the severity, for the journal.
  func writeLine(_ line: String, level: Logger.Level = .notice) {
    writeStyled(style.priority(level) + Text.oneLine(line, limit: .max))
  }

  /// Writes a line as it is: it has colours, and its texts are printable.
  func writeStyled(_ line: String) { change { $0.add(line) } }

  /// Shows the report: in place on a terminal, as a line of its own elsewhere.
  func show(_ report: ProgressReport) {
    guard isTerminal else { return writeLine(report.plainLine) }
    // The last column stays free: some terminals wrap after writing it.
    let line = Text.oneLine(report.line(width: width - 1), limit: .max)
    change { $0.show(line) }
  }

  /// Takes the progress line away.
  func endProgress() { change { $0.show("") } }

  /// Waits until everything is written, for a while.
  func flush(within time: Duration) {
    let deadline = MonotonicClock.now() + time
    let isServed = state.wait { state -> Monitor<State>.Step<Bool> in
      let left = deadline - MonotonicClock.now()
      if state.queue.isIdle || left <= .zero { return .done(true) }
      return state.hasThread ? .sleepFor(left) : .done(false)
    }
    // There was no thread to be had: what waits is written here, as far as it is taken at once.
    if !isServed {
      Self.write(state, to: descriptor, patience: 0) { $0.take().map { .done($0) } ?? .done(nil) }
    }
  }

  private func change(_ change: (inout MessageQueue) -> Void) {
    let needsThread = state.withLock { state in
      change(&state.queue)
      guard !state.hasThread, !state.queue.isIdle else { return false }
      state.hasThread = true
      return true
    }
    state.signal()
    if needsThread { start() }
  }

  private func start() {
    do throws(SystemError) {
      _ = try DedicatedThread(named: "stderr") { [state, descriptor] in
        Self.write(state, to: descriptor, patience: -1) { state in
          if let bytes = state.take() { return .done(bytes) }
          return state.isClosing ? .done(nil) : .sleep
        }
      }
    } catch {
      // The next line tries again.
      state.withLock { $0.hasThread = false }
    }
  }

  // Nobody is left to be told when stderr cannot be written, so a failure is counted and no more.
  private static func write(
    _ state: Monitor<State>, to descriptor: Int32, patience: Int32,
    next: (inout State) -> Monitor<State>.Step<[UInt8]?>
  ) {
    while let bytes = state.wait(next) {
      let isWritten = bytes.withUnsafeBytes { FileBytes.write($0, to: descriptor, patience: patience) }
      state.withLock { $0.queue.written(isWritten) }
      state.signal()
    }
  }
}
