import Base

/// The lines that wait until stderr takes them, within a bound, with the line of progress below them: a pure value.
///
/// What does not fit is dropped and counted, until half of the room is free again; the count takes the place of
/// what was dropped.
struct MessageQueue: Sendable {
  private enum Entry {
    case line([UInt8])
    case dropped(Int)
  }

  /// Bytes of the lines that wait at most.
  static let capacity = 256 << 10
  /// Bytes of lines that are written at once: so many reach a pipe in one piece. Reference: pipe(7), PIPE_BUF.
  private static let portion = 4_096
  static let clear = "\r\u{1B}[K"

  private let capacity: Int
  private var entries: [Entry] = []
  private var bytes = 0
  private var isDropping = false
  private var progress = ""
  /// The progress line on the screen; empty if there is none.
  private var shown = ""
  /// The number of messages that are being written; `nil` if nothing is.
  private var inFlight: Int?
  /// The number of messages that were dropped since the start.
  private(set) var dropped = 0

  init(capacity: Int = MessageQueue.capacity) {
    self.capacity = capacity
  }

  /// Nothing waits, and nothing is being written.
  var isIdle: Bool { inFlight == nil && entries.isEmpty && progress == shown }

  /// - Parameter line: without its line feed.
  mutating func add(_ line: String) {
    let line = Array(line.utf8) + [UInt8(ascii: "\n")]
    if isDropping, bytes > capacity / 2 { return drop() }
    isDropping = false
    guard bytes + line.count <= capacity else { return drop() }
    entries.append(.line(line))
    bytes += line.count
  }

  /// Shows a line of progress below the others, in the place of the one before; an empty one takes it away.
  mutating func show(_ line: String) { progress = line }

  /// The bytes that are to be written next, until ``written(_:)`` is called.
  ///
  /// - Parameter notice: the line that tells how many messages were dropped.
  /// - Returns: `nil` if there is nothing to write now.
  mutating func take(notice: (Int) -> String) -> [UInt8]? {
    guard inFlight == nil, !entries.isEmpty || progress != shown else { return nil }
    var taken = shown.isEmpty ? [] : Array(Self.clear.utf8)
    var lines = 0
    var count = 0
    for entry in entries {
      let line =
        switch entry {
        case .line(let line): line
        case .dropped(let count): Array(notice(count).utf8) + [UInt8(ascii: "\n")]
        }
      guard count == 0 || taken.count + line.count <= Self.portion else { break }
      if case .line(let line) = entry {
        lines += 1
        bytes -= line.count
      }
      count += 1
      taken += line
    }
    entries.removeFirst(count)
    taken += progress.utf8
    shown = progress
    inFlight = lines
    return taken
  }

  /// What was taken last has been written, or never will be.
  mutating func written(_ isWritten: Bool) {
    if !isWritten, let lost = inFlight { dropped += lost }
    inFlight = nil
  }

  private mutating func drop() {
    isDropping = true
    dropped += 1
    if case .dropped(let count) = entries.last {
      entries[entries.count - 1] = .dropped(count + 1)
    } else {
      entries.append(.dropped(1))
    }
  }
}
