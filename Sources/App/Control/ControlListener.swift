import Base
import Glibc
import WAL

/// Listens on `WAL_PATH.sock` for the process that holds the log's lock, on a thread of its own. One request is
/// heard at a time; others wait in the system's queue of 8.
actor ControlListener {
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let address: ControlAddress
  private let listening: FileDescriptor
  /// A pair of sockets: what is written to the second ends the wait for a connection.
  private let woken: FileDescriptor
  private let wake: FileDescriptor
  private var connection: LineSocket?

  /// The time that the other side may take for its line, and for reading the answer.
  static let patience = Duration.seconds(5)
  private static let backlog: Int32 = 8
  /// Milliseconds until a connection is accepted again that could not be.
  private static let pause: Int32 = 1_000

  /// Takes the place of a socket that a killed process has left: the log's lock says that nobody listens there.
  ///
  /// - Throws: `SystemError`.
  init(_ address: ControlAddress) throws(SystemError) {
    executor = try ThreadExecutor()
    self.address = address
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    var pair: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { throw SystemError.last("making sockets") }
    woken = FileDescriptor(owning: pair[0])
    wake = FileDescriptor(owning: pair[1])
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { throw SystemError.last("making a socket") }
    listening = FileDescriptor(owning: descriptor, name: address.path)
    try Self.removeOld(address)
    // Before it is bound, so that nobody else can ever connect. The umask takes more away, never less.
    guard fchmod(descriptor, 0o600) == 0 else { throw SystemError.last("protecting", address.path) }
    try address.withSocketAddress { (socketAddress, length) throws(SystemError) in
      guard bind(descriptor, socketAddress, length) == 0 else {
        throw SystemError.last("making", address.path)
      }
    }
    guard listen(descriptor, Self.backlog) == 0 else { throw SystemError.last("listening on", address.path) }
  }

  private static func removeOld(_ address: ControlAddress) throws(SystemError) {
    var info = stat()
    guard lstat(address.path, &info) == 0 else { return }
    guard info.st_mode & S_IFMT == S_IFSOCK else {
      throw SystemError(doing: "making", subject: address.path, code: EEXIST)
    }
    guard unlink(address.path) == 0 else { throw SystemError.last("removing the old", address.path) }
  }

  /// The line of the next one who asks; what breaks a connection before its line is there ends that one alone.
  ///
  /// - Returns: `nil` after ``stop()``.
  /// - Throws: `SystemError` if nobody can be heard any more.
  func nextLine() throws(SystemError) -> [UInt8]? {
    while try waitForConnection() {
      let accepted = accept(listening.number, nil, nil)
      guard accepted >= 0 else {
        let code = errno
        // The other side may be gone by now.
        if [ECONNABORTED, EINTR, EAGAIN].contains(code) { continue }
        // What the process lacks now it has again later; until then the one who asks waits.
        guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) else {
          throw SystemError(doing: "accepting a connection", subject: "", code: code)
        }
        if try isStopped(within: Self.pause) { return nil }
        continue
      }
      let socket = LineSocket(FileDescriptor(owning: accepted))
      guard fcntl(accepted, F_SETFD, FD_CLOEXEC) == 0 else {
        throw SystemError.last("keeping a connection from other programs")
      }
      do throws(SystemError) {
        let line = try socket.readLine(
          atMost: ControlRequest.maximumBytes, within: Self.patience, unless: woken.number)
        connection = .some(consume socket)
        return line
      } catch {
        continue
      }
    }
    return nil
  }

  private func waitForConnection() throws(SystemError) -> Bool {
    while true {
      var waiting = [
        pollfd(fd: woken.number, events: Int16(POLLIN), revents: 0),
        pollfd(fd: listening.number, events: Int16(POLLIN), revents: 0),
      ]
      let ready = poll(&waiting, 2, -1)
      if ready < 0, errno != EINTR { throw SystemError.last("waiting for a connection") }
      if waiting[0].revents != 0 { return false }
      if ready > 0 { return true }
    }
  }

  private func isStopped(within milliseconds: Int32) throws(SystemError) -> Bool {
    var waiting = pollfd(fd: woken.number, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, milliseconds) >= 0 || errno == EINTR else {
      throw SystemError.last("waiting to be stopped")
    }
    return waiting.revents != 0
  }

  /// Answers the last one heard, who may be gone.
  func answer(_ line: [UInt8]) throws(SystemError) {
    guard let connection = connection.take() else { return }
    try connection.write(line, within: Self.patience)
  }

  /// Ends the wait for a connection. From any thread.
  nonisolated func stop() {
    var byte: UInt8 = 1
    let written = write(wake.number, &byte, 1)
    precondition(written == 1, "an empty socket takes a byte")
  }

  /// Takes the socket's name away; to be called before the log's lock is given up.
  func removeName() {
    unlink(address.path)
  }
}
