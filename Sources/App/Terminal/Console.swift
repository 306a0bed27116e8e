import Base
import Glibc
import Synchronization

/// Lines on stderr, and below them, on a terminal, one line of progress that is redrawn in place.
///
/// Each change is one `write(2)`, so that lines of several threads never mix.
final class Console: Sendable {
  static let standardError = Console(descriptor: STDERR_FILENO)

  /// Whether somebody may be watching; decided once.
  let isTerminal: Bool
  /// Whether colours are welcome. Reference: no-color.org.
  let hasColours: Bool
  private let descriptor: Int32
  /// The progress line on the screen; empty if there is none.
  private let progress = Mutex("")

  init(descriptor: Int32) {
    self.descriptor = descriptor
    let term = getenv("TERM").map { String(cString: $0) } ?? ""
    isTerminal = isatty(descriptor) == 1 && term != "dumb" && !term.isEmpty
    hasColours = isTerminal && getenv("NO_COLOR") == nil
  }

  /// Columns now; 80 where that cannot be asked.
  var width: Int {
    var size = winsize()
    guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Writes a line, keeping the progress line below it.
  func writeLine(_ line: String) {
    progress.withLock { shown in
      emit(shown.isEmpty ? line + "\n" : Self.clear + line + "\n" + shown)
    }
  }

  /// Shows the report: in place on a terminal, as a line of its own elsewhere.
  func show(_ report: ProgressReport) {
    guard isTerminal else { return writeLine(report.plainLine) }
    // The last column stays free: some terminals wrap after writing it.
    let line = report.line(width: width - 1)
    progress.withLock { shown in
      shown = line
      emit(Self.clear + line)
    }
  }

  /// Takes the progress line away.
  func endProgress() {
    progress.withLock { shown in
      guard !shown.isEmpty else { return }
      shown = ""
      emit(Self.clear)
    }
  }

  private static let clear = "\r\u{1B}[K"

  // Nobody is left to be told when stderr cannot be written, so a failure ends the attempt and no more.
  private func emit(_ text: String) {
    var text = text
    text.withUTF8 { _ = FileBytes.write(UnsafeRawBufferPointer($0), to: descriptor, patience: 1_000) }
  }
}
