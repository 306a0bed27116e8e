import Base
import Glibc

/// The bytes of a file or of stdin, in chunks, gzip opened up. Blocks: for a thread of its own.
final class ByteSource {
  /// Nil for stdin, which stays open.
  private let file: FileDescriptor?
  private let descriptor: Int32
  private let name: String
  private var inflate: Inflate?
  private var chunk = [UInt8](repeating: 0, count: ByteSource.chunkBytes)
  private var hasStarted = false
  /// Bytes read from the descriptor, still compressed if they are.
  private(set) var bytesRead = 0

  private static let chunkBytes = 256 << 10

  /// - Parameter path: `-` for stdin.
  init(path: String) throws(ImportError) {
    name = path == "-" ? "stdin" : path
    if path == "-" {
      file = nil
      descriptor = STDIN_FILENO
    } else {
      do {
        let opened = try FileDescriptor(opening: path, O_RDONLY)
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
    guard inflate?.add(chunk[..<count], to: &out) == true else {
      throw ImportError(.badGzip, "\(name) is damaged: its gzip stream cannot be read on")
    }
    return true
  }

  private func readChunk() throws -> Int {
    var total = 0
    repeat {
      try waitForInput()
      let count = chunk.withUnsafeMutableBytes {
        FileBytes.read(descriptor, into: UnsafeMutableRawBufferPointer(rebasing: $0[total...]))
      }
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
