import Glibc

/// A splitter of bytes into lines. A pure value; a line that is too long is given up in parts, so that memory
/// is bounded.
struct LineSplitter {
  /// A message of an exchange has at most 16 MiB.
  static let maximumLine = 16 << 20

  private var buffer: [UInt8] = []
  private var start = 0
  private var searched = 0
  private var isSkipping = false
  /// Bytes of the text that the lines given so far take, line ends included.
  private(set) var position = 0

  enum Line: Equatable {
    case whole(Range<Int>)
    /// Its beginning; the rest is passed over.
    case tooLong(Range<Int>)
  }

  /// Room for more bytes, behind those that are not used up.
  mutating func fill<T>(_ body: (inout [UInt8]) throws -> T) rethrows -> T {
    buffer.removeFirst(start)
    searched -= start
    start = 0
    return try body(&buffer)
  }

  /// The next line without its end; `nil` if there is none that is complete.
  ///
  /// - Parameter isLast: no more bytes come, so that what is left is a line, too.
  mutating func next(isLast: Bool) -> Line? {
    while true {
      guard let end = lineEnd() else {
        if isLast, start < buffer.count || isSkipping { return take(to: buffer.count, next: buffer.count) }
        guard isSkipping || buffer.count - start > Self.maximumLine else { return nil }
        return skipBeginning()
      }
      let wasSkipping = isSkipping
      let line = take(to: end, next: end + 1)
      if !wasSkipping { return line }
    }
  }

  func bytes(_ range: Range<Int>) -> ArraySlice<UInt8> { buffer[range] }

  private mutating func lineEnd() -> Int? {
    // Many times quicker than a look at each byte.
    let end = buffer.withUnsafeBytes { bytes -> Int? in
      guard let start = bytes.baseAddress,
        let found = memchr(start + searched, Int32(UInt8(ascii: "\n")), bytes.count - searched)
      else { return nil }
      return UnsafeRawPointer(found) - start
    }
    searched = end ?? buffer.count
    return end
  }

  private mutating func take(to end: Int, next: Int) -> Line? {
    defer {
      position += next - start
      start = next
      searched = next
      isSkipping = false
    }
    if isSkipping { return nil }
    let range = start..<end
    return range.count > Self.maximumLine ? .tooLong(range) : .whole(range)
  }

  private mutating func skipBeginning() -> Line? {
    let range = start..<buffer.count
    defer {
      position += range.count
      start = buffer.count
      searched = buffer.count
      isSkipping = true
    }
    return isSkipping ? nil : .tooLong(range)
  }
}
