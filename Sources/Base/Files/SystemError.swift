import Glibc

/// A failed system call: what was being done, to what, and its `errno`.
package struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
  package let doing: String
  /// The path, or what else it was done to; empty if there is nothing to name.
  package let subject: String
  /// The value of `errno`.
  package let code: Int32

  package init(doing: String, subject: String, code: Int32) {
    self.doing = doing
    self.subject = subject
    self.code = code
  }

  /// Takes `errno`, so it must be made right after the call.
  package static func last(_ doing: String, _ subject: String = "") -> SystemError {
    SystemError(doing: doing, subject: subject, code: errno)
  }

  package var description: String {
    subject.isEmpty ? "\(doing): \(reason)" : "\(doing) \(subject): \(reason)"
  }

  /// The system's words for the code.
  package var reason: String { Self.text(code) }

  /// The system's words for a value of `errno`, such as "No space left on device"; where the words alone do not tell
  /// whose limit it is, or how to search for it, with its name.
  ///
  /// Reference: https://man7.org/linux/man-pages/man3/strerror.3.html (strerror_r: safe among threads).
  package static func text(_ code: Int32) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 256) { buffer in
      guard strerror_r(code, buffer.baseAddress!, buffer.count) == 0 else { return "error \(code)" }
      let words = String(cString: buffer.baseAddress!)
      switch code {
      case EMFILE: return "\(words) in this process (EMFILE; ulimit -n)"
      case ENFILE: return "\(words) (ENFILE)"
      default: return words
      }
    }
  }

  /// The name of a value of `errno` that a connection may fail with, such as `ECONNREFUSED`.
  package static func name(_ code: Int32) -> String? {
    names[code]
  }

  private static let names: [Int32: String] = [
    EACCES: "EACCES", EADDRINUSE: "EADDRINUSE", EADDRNOTAVAIL: "EADDRNOTAVAIL", EAFNOSUPPORT: "EAFNOSUPPORT",
    ECONNABORTED: "ECONNABORTED", ECONNREFUSED: "ECONNREFUSED", ECONNRESET: "ECONNRESET",
    EHOSTDOWN: "EHOSTDOWN", EHOSTUNREACH: "EHOSTUNREACH", EMFILE: "EMFILE", ENETDOWN: "ENETDOWN",
    ENETUNREACH: "ENETUNREACH", ENFILE: "ENFILE", ENOBUFS: "ENOBUFS", ENOMEM: "ENOMEM", EPERM: "EPERM",
    EPIPE: "EPIPE", ETIMEDOUT: "ETIMEDOUT",
  ]

  /// The system's words for what `errno` is now.
  package static var lastText: String { text(errno) }
}
