import Glibc

/// An open file that is closed when its owner goes away.
package struct FileDescriptor: ~Copyable, Sendable {
  package let number: Int32
  /// As it was opened.
  package let path: String

  /// - Parameters:
  ///   - flags: of `open`; `O_CLOEXEC` comes on top.
  ///   - doing: the words of the error.
  /// - Throws: `SystemError` with the code of `open`.
  package init(
    opening path: String, _ flags: Int32, mode: mode_t = 0o600, doing: String = "opening"
  ) throws(SystemError) {
    var descriptor: Int32
    repeat { descriptor = open(path, flags | O_CLOEXEC, mode) } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else { throw SystemError.last(doing, path) }
    number = descriptor
    self.path = path
  }

  /// Takes an open descriptor over, such as a socket.
  ///
  /// - Parameter name: the path, or what else errors call it.
  package init(owning number: Int32, name: String = "") {
    self.number = number
    path = name
  }

  private var isOpen = true

  deinit {
    if isOpen { _ = Glibc.close(number) }
  }

  /// Closes it and says whether that went well; the system may find out only now that a write failed.
  package consuming func close() throws(SystemError) {
    isOpen = false
    guard Glibc.close(number) == 0 else { throw SystemError.last("closing", path) }
  }

  /// Durable when it returns. A failed sync is not to be tried again on the same descriptor.
  package borrowing func sync(doing: String = "syncing") throws(SystemError) {
    guard fsync(number) == 0 else { throw SystemError.last(doing, path) }
  }

  /// Whether it is a file, and no pipe, device or folder.
  package borrowing func isRegular() throws(SystemError) -> Bool {
    var info = stat()
    guard fstat(number, &info) == 0 else { throw SystemError.last("looking at", path) }
    return info.st_mode & S_IFMT == S_IFREG
  }

  /// Reads up to its end.
  ///
  /// - Parameter limit: bytes; a longer file throws `EFBIG`.
  package borrowing func readAll(limit: Int = .max) throws(SystemError) -> [UInt8] {
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = chunk.withUnsafeMutableBytes { FileBytes.read(number, into: $0) }
      guard count >= 0 else { throw SystemError.last("reading", path) }
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
      guard bytes.count <= limit else { throw SystemError(doing: "reading", subject: path, code: EFBIG) }
    }
  }

  /// Writes everything at the file's position.
  package borrowing func writeAll(_ bytes: [UInt8]) throws(SystemError) {
    guard bytes.withUnsafeBytes({ FileBytes.write($0, to: number) }) else {
      throw SystemError.last("writing", path)
    }
  }
}

/// Whole reads and writes on descriptors: short ones are gone on with, interrupted ones tried again.
package enum FileBytes {
  /// - Returns: the count; 0 at the end; below 0 after a failure, which `errno` names.
  package static func read(_ descriptor: Int32, into buffer: UnsafeMutableRawBufferPointer) -> Int {
    while true {
      let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
      if count >= 0 || errno != EINTR { return count }
    }
  }

  /// Reads until the buffer is full or the file ends.
  ///
  /// - Returns: the count; below 0 after a failure, which `errno` names.
  package static func read(
    _ descriptor: Int32, at position: Int, into buffer: UnsafeMutableRawBufferPointer
  ) -> Int {
    var done = 0
    while done < buffer.count {
      let count = pread(descriptor, buffer.baseAddress! + done, buffer.count - done, off_t(position + done))
      if count < 0 {
        if errno == EINTR { continue }
        return count
      }
      if count == 0 { break }
      done += count
    }
    return done
  }

  /// - Parameter patience: milliseconds that a descriptor which does not block may take for each piece; below 0 for any time.
  /// - Returns: whether everything is written; if not, `errno` says why.
  package static func write(
    _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, patience: Int32 = 0
  ) -> Bool {
    every(bytes) { rest in
      while true {
        let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
        guard count < 0, errno == EAGAIN else { return count }
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let ready = poll(&waiting, 1, patience)
        if ready < 0, errno == EINTR { continue }
        guard ready == 1 else {
          errno = EAGAIN
          return count
        }
      }
    }
  }

  /// - Returns: whether everything is written; if not, `errno` says why.
  package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, at position: Int) -> Bool {
    var done = position
    return every(bytes) { rest in
      let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(done))
      done += max(count, 0)
      return count
    }
  }

  private static func every(
    _ bytes: UnsafeRawBufferPointer, _ step: (UnsafeRawBufferPointer) -> Int
  ) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      let count = step(rest)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        if count == 0 { errno = EIO }
        return false
      }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return true
  }
}
