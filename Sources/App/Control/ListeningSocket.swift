import Base
import Glibc

/// The socket that listens under the log's name with `.sock`, for as long as that name means it.
final class ListeningSocket: Sendable {
  let number: Int32
  private let address: ControlAddress
  private let descriptor: FileDescriptor
  private let device: dev_t
  private let inode: ino_t

  /// Takes the place of a socket that a killed process has left: the log's lock says that nobody listens there.
  ///
  /// - Throws: `SystemError`; `EEXIST` for a file that is no socket.
  init(_ address: ControlAddress) throws(SystemError) {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let made = socket(AF_UNIX, type, 0)
    guard made >= 0 else { throw SystemError.last("making a socket") }
    let descriptor = FileDescriptor(owning: made, name: address.path)
    try Self.removeOld(address)
    // Before it is bound, so that nobody else can ever connect. The umask takes more away, never less.
    guard fchmod(made, 0o600) == 0 else { throw SystemError.last("protecting", address.path) }
    try address.withSocketAddress { (socketAddress, length) throws(SystemError) in
      guard bind(made, socketAddress, length) == 0 else { throw SystemError.last("making", address.path) }
    }
    guard listen(made, Self.backlog) == 0 else { throw SystemError.last("listening on", address.path) }
    var info = stat()
    guard lstat(address.path, &info) == 0 else { throw SystemError.last("looking at", address.path) }
    (number, self.address, device, inode) = (made, address, info.st_dev, info.st_ino)
    self.descriptor = descriptor
  }

  /// Clients that connect while the thread does something else; more are refused by the system for a moment.
  private static let backlog: Int32 = 8

  private static func removeOld(_ address: ControlAddress) throws(SystemError) {
    var info = stat()
    guard lstat(address.path, &info) == 0 else { return }
    guard info.st_mode & S_IFMT == S_IFSOCK else {
      throw SystemError(doing: "making", subject: address.path, code: EEXIST)
    }
    guard unlink(address.path) == 0 else { throw SystemError.last("removing the old", address.path) }
  }

  /// False if its name is gone, so that nobody can reach it any more.
  var hasName: Bool {
    var info = stat()
    return lstat(address.path, &info) == 0 || errno != ENOENT
  }

  /// Takes the name away, if it still means this socket.
  func removeName() {
    var info = stat()
    guard lstat(address.path, &info) == 0, info.st_dev == device, info.st_ino == inode else { return }
    unlink(address.path)
  }
}
