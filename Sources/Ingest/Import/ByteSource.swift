import Base
import Glibc

/// The bytes of a file, a pipe or stdin, in chunks, gzip opened up: a chunk's text has a MiB at most, whatever it
/// unpacks to. Blocks: for a thread of its own.
final class ByteSource {
  /// Nil for stdin, which stays open.
  private let file: FileDescriptor?
  private let descriptor: Int32
  private let name: String
  private var inflate: Inflate?
  private var chunk = [UInt8](repeating: 0, count: ByteSource.chunkBytes)
  /// What is not opened up yet of the last chunk.
  private var packed: ArraySlice<UInt8> = []
  private var hasStarted = false
  /// Bytes read from the descriptor, still compressed if they are.
  private(set) var bytesRead = 0

  private static let chunkBytes = 256 << 10
  private static let textBytes = 1 << 20

  /// - Parameter path: `-` for stdin.
  init(path: String) throws(ImportError) {
    name = path == "-" ? "stdin" : path
    if path == "-" {
      file = nil
      descriptor = STDIN_FILENO
    } else {
      do {
        // A named pipe would wait here for its writer, whatever signal comes.
        let opened = try FileDescriptor(opening: path, O_RDONLY | O_NONBLOCK)
        descriptor = opened.number
        file = consume opened
      } catch { throw ByteSource.unreadable(name, error.code) }
    }
    var info = stat()
    guard fstat(descriptor, &info) == 0, info.st_mode & S_IFMT != S_IFDIR else {
      throw ByteSource.unreadable(name, EISDIR)
    }
  }

  /// Appends the next bytes to `out`.
  /// - Returns: `false` at the end.
  func read(into out: inout [UInt8]) throws -> Bool {
    if !packed.isEmpty || inflate?.isPending == true {
      try unpack(into: &out)
      return true
    }
    let count = try readChunk()
    if !hasStarted {
      hasStarted = true
      if count >= 2, chunk[0] == 0x1F, chunk[1] == 0x8B { inflate = Inflate(joinsStreams: true) }
    }
    guard inflate != nil else {
      out.append(contentsOf: chunk[..<count])
      return count > 0
    }
    if count == 0 {
      guard inflate?.isAtEnd == true else {
        throw ImportError(.badGzip, "\(name) ends in the middle of a gzip stream")
      }
      return false
    }
    packed = chunk[..<count]
    try unpack(into: &out)
    return true
  }

  private func unpack(into out: inout [UInt8]) throws {
    guard inflate?.add(&packed, to: &out, atMost: Self.textBytes) == true else {
      throw ImportError(.badGzip, "\(name) is damaged: its gzip stream cannot be read on")
    }
    // Else the chunk would be copied when it is read into.
    if packed.isEmpty { packed = [] }
  }

  private func readChunk() throws -> Int {
    var total = 0
    repeat {
      try waitForInput()
      let count = chunk.withUnsafeMutableBytes {
        FileBytes.read(descriptor, into: UnsafeMutableRawBufferPointer(rebasing: $0[total...]))
      }
      // Another reader of the pipe was quicker.
      if count < 0, errno == EAGAIN { continue }
      guard count >= 0 else { throw ByteSource.unreadable(name, errno) }
      if count == 0 { break }
      total += count
      // Two bytes are needed to know gzip.
    } while total < 2
    bytesRead += total
    return total
  }

  /// Waits in short steps, so that a cancelled import does not hang on a silent pipe.
  private func waitForInput() throws {
    var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    while true {
      try Task.checkCancellation()
      let code = poll(&waiting, 1, 200)
      if code > 0 { return }
      guard code == 0 || errno == EINTR else { throw ByteSource.unreadable(name, errno) }
    }
  }

  private static func unreadable(_ name: String, _ code: Int32) -> ImportError {
    ImportError(.unreadable, "\(name) cannot be read: \(SystemError.text(code))")
  }
}
