import Base
import Glibc
import WAL

/// The address of the process that has a log open: `WAL_PATH.sock`.
struct ControlAddress: Sendable {
  let path: String

  /// - Parameter logPath: links are followed as they are for the log.
  init(logPath: String) {
    path = TickLog.file(of: logPath) + ".sock"
  }

  /// Calls `body` with an address of at most 107 bytes that means the path: `sockaddr_un` takes no more, so a
  /// long one is named through a descriptor of its folder.
  ///
  /// - Throws: `SystemError`.
  ///
  /// Reference: unix(7).
  func withSocketAddress<T>(
    _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> T
  ) throws(SystemError) -> T {
    guard path.utf8.count > Self.limit else { return try Self.with(path, body) }
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    let folder = String(path.dropLast(name.count))
    let opened = try FileDescriptor(opening: folder, O_RDONLY | O_DIRECTORY, doing: "opening the folder")
    let short = "/proc/self/fd/\(opened.number)/\(name)"
    guard short.utf8.count <= Self.limit else {
      throw SystemError(doing: "using", subject: path, code: ENAMETOOLONG)
    }
    return try Self.with(short, body)
  }

  /// Bytes that `sun_path` has room for, without the NUL.
  static let limit = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

  private static func with<T>(
    _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(SystemError) -> T
  ) throws(SystemError) -> T {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result: Result<T, SystemError> = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        Result { () throws(SystemError) in
          try body(address, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
      }
    }
    return try result.get()
  }
}

extension ControlAddress {
  /// Refuses if a process listens there: it has the log, even where its lock file is gone.
  ///
  /// - Throws: `LogError` with `inUse`, and the pid if the system says it.
  ///
  /// Reference: unix(7), SO_PEERCRED.
  func checkUnused(logPath: String) throws(LogError) {
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let descriptor = socket(AF_UNIX, type, 0)
    guard descriptor >= 0 else { return }
    let asking = FileDescriptor(owning: descriptor)
    do throws(SystemError) {
      try withSocketAddress { (address, length) throws(SystemError) in
        guard connect(asking.number, address, length) == 0 else {
          throw SystemError.last("connecting to", path)
        }
      }
    } catch {
      // A listener whose queue is full is one, too; whatever else is wrong is found out where it matters.
      guard error.code == EAGAIN else { return }
      throw LogError.inUse(logPath, by: nil)
    }
    // As `ucred` has it, which Glibc's module leaves out: pid, user, group.
    var peer: [Int32] = [0, 0, 0]
    var length = socklen_t(MemoryLayout<Int32>.size * peer.count)
    let isKnown = getsockopt(asking.number, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer[0] > 0
    throw LogError.inUse(logPath, by: isKnown ? peer[0] : nil)
  }
}

extension SystemError {
  /// Nobody listens there.
  var meansNobody: Bool { code == ENOENT || code == ECONNREFUSED }
}
