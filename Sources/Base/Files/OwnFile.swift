import Glibc

/// A file under a name that only this program should use: beside a log, or within a folder of its own.
///
/// Whoever can write to the folder could put something else there: a link, through which another file would be
/// changed, or a pipe, on which opening waits for ever.
package enum OwnFile {
  package struct Refusal: Error, Equatable, CustomStringConvertible {
    package let path: String
    /// What is wrong with it, and what to do.
    package let reason: String
    /// `errno` if a call failed, else 0.
    package let code: Int32

    package var description: String { "\(path) cannot be used: \(reason)" }
  }

  package enum Kind: Sendable {
    case regular, socket

    fileprivate var mode: mode_t { self == .regular ? S_IFREG : S_IFSOCK }
    fileprivate var name: String { self == .regular ? "regular file" : "socket" }
  }

  /// Opens a regular file that is this user's, or root's; never waits, and never through a link.
  ///
  /// - Parameter flags: of `open`; `O_CLOEXEC`, `O_NOFOLLOW` and `O_NONBLOCK` come on top.
  /// - Returns: the descriptor.
  /// - Throws: `Refusal`; its code is `ENOENT` if there is no such file.
  package static func open(
    _ path: String, _ flags: Int32, mode: mode_t = 0o600
  ) throws(Refusal) -> Int32 {
    var descriptor: Int32
    repeat {
      descriptor = Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, mode)
    } while descriptor < 0 && errno == EINTR
    guard descriptor >= 0 else {
      let code = errno
      // What a link, a pipe without a reader or a socket answers says little.
      if [ELOOP, ENXIO, EISDIR].contains(code), let objection = objection(to: path) { throw objection }
      throw Refusal(path: path, reason: SystemError.text(code), code: code)
    }
    var info = stat()
    let objection =
      fstat(descriptor, &info) == 0
      ? judge(path, info, .regular) : Refusal(path: path, reason: SystemError.lastText, code: errno)
    if let objection {
      close(descriptor)
      throw objection
    }
    return descriptor
  }

  /// Why a name must not be used, without opening what has it; `nil` if nothing has it, or what should.
  ///
  /// - Parameter byAnybody: whether its owner does not matter, for whoever only reads.
  package static func objection(
    to path: String, _ kind: Kind = .regular, byAnybody: Bool = false
  ) -> Refusal? {
    var info = stat()
    guard lstat(path, &info) == 0 else {
      return errno == ENOENT || errno == ENOTDIR
        ? nil : Refusal(path: path, reason: SystemError.lastText, code: errno)
    }
    return judge(path, info, kind, byAnybody: byAnybody)
  }

  private static func judge(
    _ path: String, _ info: stat, _ kind: Kind, byAnybody: Bool = false
  ) -> Refusal? {
    let type = info.st_mode & S_IFMT
    if type == S_IFLNK {
      return Refusal(path: path, reason: "it is a symbolic link, and is not followed; remove it", code: 0)
    }
    if type != kind.mode {
      return Refusal(
        path: path, reason: "it is no \(kind.name) but \(name(of: type)); move it away", code: 0)
    }
    if !byAnybody, !isTrusted(owner: info.st_uid, asking: geteuid()) {
      return Refusal(
        path: path,
        reason:
          "it belongs to user \(info.st_uid), not to this one (\(geteuid())) or root; give it the right owner, "
          + "or move it away", code: 0)
    }
    return nil
  }

  /// Whether a file's owner may say what is in it: whoever is root may look at everybody's.
  package static func isTrusted(owner: uid_t, asking user: uid_t) -> Bool {
    owner == user || owner == 0 || user == 0
  }

  private static func name(of type: mode_t) -> String {
    switch type {
    case S_IFDIR: "a folder"
    case S_IFIFO: "a pipe"
    case S_IFSOCK: "a socket"
    case S_IFREG: "a file"
    default: "a device"
    }
  }
}
