import Base
import Glibc

/// A recorded file, read line by line, a bounded piece at a time, once or again and again.
struct Recording: ~Copyable {
  private let repeats: Bool
  private let file: FileDescriptor
  private let piece: UnsafeMutableRawBufferPointer
  private var chunk: [UInt8] = []
  private var place = 0
  private var atEnd = false
  private var foundInThisPass = false

  /// Throws ``ExchangeError`` if the file cannot be opened.
  init(path: String, repeats: Bool) throws(ExchangeError) {
    do {
      file = try FileDescriptor(opening: path, O_RDONLY)
    } catch { throw ExchangeError(.recordingUnreadable, error) }
    self.repeats = repeats
    piece = .allocate(byteCount: 256 * 1024, alignment: 1)
  }

  deinit { piece.deallocate() }

  /// The next message of a stream that is wanted, or of none at all. Nil at the end of the file, or after a
  /// whole pass in which nothing was wanted.
  mutating func next(wanted: (String) -> Bool) throws(ExchangeError) -> RecordedMessage? {
    while true {
      guard let line = try nextLine() else {
        guard repeats, foundInThisPass else { return nil }
        try rewind()
        continue
      }
      if line.isEmpty { continue }
      let message = RecordedMessage(line: line)
      if let stream = message.stream, !wanted(stream) { continue }
      foundInThisPass = true
      return message
    }
  }

  /// Starts again from the first line.
  mutating func rewind() throws(ExchangeError) {
    guard lseek(file.number, 0, SEEK_SET) == 0 else { throw unreadable() }
    chunk.removeAll(keepingCapacity: true)
    place = 0
    atEnd = false
    foundInThisPass = false
  }

  private mutating func nextLine() throws(ExchangeError) -> [UInt8]? {
    var searched = place
    while true {
      if let end = chunk[searched...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { place = end + 1 }
        return withoutCarriageReturn(chunk[place..<end])
      }
      if atEnd {
        guard place < chunk.count else { return nil }
        defer { place = chunk.count }
        return withoutCarriageReturn(chunk[place...])
      }
      chunk.removeFirst(place)
      place = 0
      searched = chunk.count
      try readMore()
    }
  }

  private func withoutCarriageReturn(_ line: ArraySlice<UInt8>) -> [UInt8] {
    Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
  }

  private mutating func readMore() throws(ExchangeError) {
    let count = FileBytes.read(file.number, into: piece)
    guard count >= 0 else { throw unreadable() }
    chunk.append(contentsOf: piece[..<count])
    atEnd = count == 0
  }

  private func unreadable() -> ExchangeError {
    ExchangeError(.recordingUnreadable, SystemError.last("reading", file.path))
  }
}
