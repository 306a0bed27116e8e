import Base
import Glibc
import WAL

/// Listens on `WAL_PATH.sock` for the process that holds the log's lock, on a thread of its own. One request is
/// heard at a time; others wait in the system's queue of 8.
actor ControlListener {
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let address: ControlAddress
  private let listening: Int32
  /// A pair of sockets: what is written to the second ends the wait for a connection.
  private let wake: (Int32, Int32)
  private var connection: Int32?

  /// How long the other side may take for its line, and for reading the answer.
  static let patience = Duration.seconds(5)
  private static let backlog: Int32 = 8
  /// Milliseconds until a connection is accepted again that could not be.
  private static let pause: Int32 = 1_000

  /// Takes the place of a socket that a killed process has left: the log's lock says that nobody listens there.
  ///
  /// - Throws: `SocketError`.
  init(_ address: ControlAddress) throws(SocketError) {
    do throws(SystemError) {
      executor = try ThreadExecutor()
    } catch {
      throw SocketError(error.doing, error.code)
    }
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    var pair: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, type, 0, &pair) == 0 else { throw SocketError("making sockets", errno) }
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else {
      for end in pair { close(end) }
      throw SocketError("making a socket", errno)
    }
    do throws(SocketError) {
      try Self.removeOld(address)
      // Before it is bound, so that nobody else can ever connect. The umask takes more away, never less.
      guard fchmod(descriptor, 0o600) == 0 else { throw SocketError("protecting \(address.path)", errno) }
      try address.withSocketAddress { (socketAddress, length) throws(SocketError) in
        guard bind(descriptor, socketAddress, length) == 0 else {
          throw SocketError("making \(address.path)", errno)
        }
      }
      guard listen(descriptor, Self.backlog) == 0 else {
        throw SocketError("listening on \(address.path)", errno)
      }
    } catch {
      for end in pair + [descriptor] { close(end) }
      throw error
    }
    self.address = address
    wake = (pair[0], pair[1])
    listening = descriptor
  }

  deinit {
    if let connection { Glibc.close(connection) }
    for end in [listening, wake.0, wake.1] { close(end) }
  }

  private static func removeOld(_ address: ControlAddress) throws(SocketError) {
    var info = stat()
    guard lstat(address.path, &info) == 0 else { return }
    guard info.st_mode & S_IFMT == S_IFSOCK else { throw SocketError("making \(address.path)", EEXIST) }
    guard unlink(address.path) == 0 else { throw SocketError("removing the old \(address.path)", errno) }
  }

  /// The line of the next one who asks; what breaks a connection before its line is there ends that one alone.
  ///
  /// - Returns: `nil` after ``stop()``.
  /// - Throws: `SocketError` if nobody can be heard any more.
  func nextLine() throws(SocketError) -> [UInt8]? {
    while try waitForConnection() {
      let accepted = accept(listening, nil, nil)
      guard accepted >= 0 else {
        let code = errno
        // The other side may be gone by now.
        if [ECONNABORTED, EINTR, EAGAIN].contains(code) { continue }
        // What the process lacks now it has again later; until then the one who asks waits.
        guard [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) else {
          throw SocketError("accepting a connection", code)
        }
        if try isStopped(within: Self.pause) { return nil }
        continue
      }
      let socket = LineSocket(accepted)
      guard fcntl(accepted, F_SETFD, FD_CLOEXEC) == 0 else {
        throw SocketError("keeping a connection from other programs", errno)
      }
      do throws(SocketError) {
        let line = try socket.readLine(
          atMost: ControlRequest.maximumBytes, within: Self.patience, unless: wake.0)
        connection = socket.take()
        return line
      } catch {
        continue
      }
    }
    return nil
  }

  private func waitForConnection() throws(SocketError) -> Bool {
    while true {
      var waiting = [
        pollfd(fd: wake.0, events: Int16(POLLIN), revents: 0),
        pollfd(fd: listening, events: Int16(POLLIN), revents: 0),
      ]
      let ready = poll(&waiting, 2, -1)
      if ready < 0, errno != EINTR { throw SocketError("waiting for a connection", errno) }
      if waiting[0].revents != 0 { return false }
      if ready > 0 { return true }
    }
  }

  private func isStopped(within milliseconds: Int32) throws(SocketError) -> Bool {
    var waiting = pollfd(fd: wake.0, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, milliseconds) >= 0 || errno == EINTR else {
      throw SocketError("waiting to be stopped", errno)
    }
    return waiting.revents != 0
  }

  /// Answers the last one heard, who may be gone.
  func answer(_ line: [UInt8]) throws(SocketError) {
    guard let connection else { return }
    self.connection = nil
    try LineSocket(connection).write(line, within: Self.patience)
  }

  /// Ends the wait for a connection. From any thread.
  nonisolated func stop() {
    var byte: UInt8 = 1
    let written = write(wake.1, &byte, 1)
    precondition(written == 1, "an empty socket takes a byte")
  }

  /// Takes the socket's name away; to be called before the log's lock is given up.
  func removeName() {
    unlink(address.path)
  }
}
