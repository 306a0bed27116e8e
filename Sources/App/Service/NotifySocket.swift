import Base
import Glibc

/// The socket at which the service manager that started this process wants to be told how it goes.
///
/// Nothing waits for it: what it does not take at once is not sent.
///
/// Reference: sd_notify(3), unix(7).
final class NotifySocket: Sendable {
  private let descriptor: FileDescriptor
  /// As `sun_path` has it: an abstract name begins with a NUL.
  private let name: [UInt8]

  /// - Parameter address: a path, or `@` and an abstract name.
  /// - Throws: `SystemError`: `EAFNOSUPPORT` for another kind of address, `ENAMETOOLONG`.
  init(_ address: String) throws(SystemError) {
    guard let first = address.utf8.first, [UInt8(ascii: "/"), UInt8(ascii: "@")].contains(first),
      address.utf8.count > 1
    else { throw SystemError(doing: "using NOTIFY_SOCKET", subject: address, code: EAFNOSUPPORT) }
    guard address.utf8.count <= ControlAddress.limit else {
      throw SystemError(doing: "using NOTIFY_SOCKET", subject: address, code: ENAMETOOLONG)
    }
    name = first == UInt8(ascii: "@") ? [0] + address.utf8.dropFirst() : Array(address.utf8)
    let type = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let made = socket(AF_UNIX, type, 0)
    guard made >= 0 else { throw SystemError.last("making a socket") }
    descriptor = FileDescriptor(owning: made, name: address)
  }

  /// Sends one datagram.
  ///
  /// - Throws: `SystemError`: `EAGAIN` if the other side has not read the ones before.
  func send(_ text: String) throws(SystemError) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    // The length tells where an abstract name ends.
    let length = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    let bytes = Array(text.utf8)
    var sent: Int
    repeat {
      sent = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          sendto(
            descriptor.number, bytes, bytes.count, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL),
            address, length)
        }
      }
    } while sent < 0 && errno == EINTR
    guard sent >= 0 else { throw SystemError.last("telling the service manager", descriptor.path) }
  }
}
