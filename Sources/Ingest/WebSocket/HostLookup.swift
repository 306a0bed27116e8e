import Base
import Glibc
import NIOCore
import NIOPosix

/// The question to the system's resolver for a host's addresses.
enum HostLookup {
  /// A look-up off the event loop; its future is of that loop.
  typealias Resolve =
    @Sendable (_ host: String, _ port: Int, _ loop: any EventLoop) -> EventLoopFuture<[SocketAddress]>

  /// Blocks a thread of the pool for as long as the resolver waits. Fails with a `FeedError`.
  static let system: Resolve = { host, port, loop in
    NIOThreadPool.singleton.runIfActive(eventLoop: loop) { try addresses(of: host, port: port) }
  }

  /// Reference: https://man7.org/linux/man-pages/man3/getaddrinfo.3.html
  private static func addresses(of host: String, port: Int) throws(FeedError) -> [SocketAddress] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_protocol = Int32(IPPROTO_TCP)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(host, String(port), &hints, &list)
    guard code == 0 else {
      throw failure(
        host, code, code == EAI_SYSTEM ? SystemError.lastText : String(cString: gai_strerror(code)))
    }
    defer { freeaddrinfo(list) }
    var found: [SocketAddress] = []
    var next = list
    while let entry = next?.pointee {
      let address = UnsafeRawPointer(entry.ai_addr)
      switch (entry.ai_family, address) {
      case (AF_INET, let address?): found.append(SocketAddress(address.loadUnaligned(as: sockaddr_in.self)))
      case (AF_INET6, let address?): found.append(SocketAddress(address.loadUnaligned(as: sockaddr_in6.self)))
      default: break
      }
      next = entry.ai_next
    }
    return found
  }

  /// The operator's words for what the resolver said.
  ///
  /// - Parameters:
  ///   - code: what `getaddrinfo` returned.
  ///   - words: the system's for it.
  static func failure(_ host: String, _ code: Int32, _ words: String) -> FeedError {
    switch code {
    case EAI_AGAIN: FeedError(.lookupFailed, "no answer from DNS for the name \(host) (\(words))")
    case EAI_NONAME, noData: FeedError(.lookupFailed, "DNS knows no address of the name \(host) (\(words))")
    default: FeedError(.lookupFailed, "the name \(host) cannot be looked up (\(words))")
    }
  }

  /// `EAI_NODATA`, which glibc declares only where extensions are asked for: the name has no address.
  private static let noData: Int32 = -5
}
