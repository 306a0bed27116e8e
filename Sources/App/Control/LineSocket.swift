import Base
import Glibc

/// One end of a connection that carries one line each way, within time limits. For threads that may block.
struct LineSocket: ~Copyable {
  private let socket: FileDescriptor
  private var descriptor: Int32 { socket.number }

  /// Takes a connected socket over.
  init(_ socket: consuming FileDescriptor) {
    self.socket = socket
  }

  /// Reads up to the first line feed, which is left out.
  ///
  /// - Throws: `SystemError`: `ETIMEDOUT`, `EMSGSIZE`, or `ECONNRESET` if the other side ended before.
  func readLine(atMost limit: Int, within time: Duration) throws(SystemError) -> [UInt8] {
    let clock = ContinuousClock()
    let deadline = clock.now.advanced(by: time)
    var line: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4_096)
    while true {
      try wait(for: POLLIN, until: deadline, clock)
      let count = buffer.withUnsafeMutableBytes { FileBytes.read(descriptor, into: $0) }
      guard count >= 0 else { throw SystemError.last("reading from the socket") }
      guard count > 0 else {
        throw SystemError(doing: "reading from the socket", subject: "", code: ECONNRESET)
      }
      let lineEnd = buffer[..<count].firstIndex(of: UInt8(ascii: "\n"))
      line += buffer[..<(lineEnd ?? count)]
      guard line.count <= limit else {
        throw SystemError(doing: "reading from the socket", subject: "", code: EMSGSIZE)
      }
      if lineEnd != nil { return line }
    }
  }

  /// Whether there is something to be read, or the other side has ended, within a time.
  func isReadable(within time: Duration) throws(SystemError) -> Bool {
    let clock = ContinuousClock()
    do throws(SystemError) {
      try wait(for: POLLIN, until: clock.now.advanced(by: time), clock)
    } catch {
      guard error.code == ETIMEDOUT else { throw error }
      return false
    }
    return true
  }

  func write(_ bytes: [UInt8], within time: Duration) throws(SystemError) {
    let clock = ContinuousClock()
    let deadline = clock.now.advanced(by: time)
    var written = 0
    while written < bytes.count {
      try wait(for: POLLOUT, until: deadline, clock)
      let count = bytes.withUnsafeBytes {
        send(
          descriptor, $0.baseAddress! + written, bytes.count - written,
          Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL))
      }
      if count < 0 {
        if errno == EINTR || errno == EAGAIN { continue }
        throw SystemError.last("writing to the socket")
      }
      written += count
    }
  }

  private func wait(
    for event: Int32, until deadline: ContinuousClock.Instant, _ clock: ContinuousClock
  ) throws(SystemError) {
    while true {
      let left = clock.now.duration(to: deadline)
      guard left > .zero else {
        throw SystemError(doing: "waiting for the other side of the socket", subject: "", code: ETIMEDOUT)
      }
      var waiting = pollfd(fd: descriptor, events: Int16(event), revents: 0)
      let milliseconds = min(left / .milliseconds(1), 60_000).rounded(.up)
      let ready = poll(&waiting, 1, Int32(milliseconds))
      if ready > 0 { return }
      if ready < 0, errno != EINTR { throw SystemError.last("waiting for the socket") }
    }
  }
}
