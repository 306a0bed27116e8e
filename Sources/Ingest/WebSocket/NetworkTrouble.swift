import Base
import Glibc
import NIOCore
import NIOPosix

/// An operator's words for why a connection could not be made, or broke.
enum NetworkTrouble {
  static func text(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      error.connectionErrors.first.map { text($0.error) } ?? unknown(error)
    case let error as IOError: text(errno: error.errnoCode)
    case let error as ChannelError: text(error)
    case let error as FeedError: error.description
    default: unknown(error)
    }
  }

  /// For the usual ones, what they mean for a client of a server; for others the system's words.
  static func text(errno code: Int32) -> String {
    switch code {
    case ECONNREFUSED: "the server refused the connection (ECONNREFUSED)"
    case ECONNRESET: "the server or something in between reset the connection (ECONNRESET)"
    case ECONNABORTED: "the connection was aborted (ECONNABORTED)"
    case EPIPE: "the server had ended the connection (EPIPE)"
    case ETIMEDOUT: "the server did not answer (ETIMEDOUT)"
    case EHOSTUNREACH: "there is no way to the server (EHOSTUNREACH)"
    case ENETUNREACH: "there is no way to the server's network (ENETUNREACH)"
    case ENETDOWN: "the network is down (ENETDOWN)"
    case EADDRNOTAVAIL: "this machine has no free port or no address for it (EADDRNOTAVAIL)"
    case EACCES: "this machine does not allow the connection (EACCES)"
    case EPERM: "this machine does not allow the connection (EPERM)"
    case EMFILE: "this process has too many open files (EMFILE)"
    case ENFILE: "this machine has too many open files (ENFILE)"
    case ENOBUFS: "this machine has no memory for the connection (ENOBUFS)"
    case ENOMEM: "this machine has no memory for the connection (ENOMEM)"
    default: "\(SystemError.text(code)) (errno \(code))"
    }
  }

  private static func text(_ error: ChannelError) -> String {
    switch error {
    case .connectTimeout(let time):
      "no answer to the TCP connection within \(Figures.duration(.nanoseconds(time.nanoseconds)))"
    case .eof, .inputClosed, .outputClosed, .alreadyClosed, .ioOnClosedChannel: "the connection was closed"
    default: unknown(error)
    }
  }

  private static func unknown(_ error: any Error) -> String {
    Text.oneLine(bytes: "\(error)".utf8, limit: 300)
  }
}
