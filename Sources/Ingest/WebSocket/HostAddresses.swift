import NIOCore

/// The addresses of the exchange's server, looked up for each attempt, with the memory of which were no good.
///
/// One for all slots; lives on the feed's event loop. At most one look-up runs at a time, however many attempts wait
/// for it: one that nobody answers holds a thread until the resolver gives up.
final class HostAddresses {
  private let resolve: HostLookup.Resolve
  private let loop: NIOIsolatedEventLoop
  private var choice = AddressChoice()
  private var running: EventLoopFuture<[SocketAddress]>.Isolated?

  init(_ resolve: @escaping HostLookup.Resolve, loop: NIOIsolatedEventLoop) {
    self.resolve = resolve
    self.loop = loop
  }

  /// - Parameter done: called once, on the loop, perhaps long after the attempt was given up: with the addresses to
  ///   try, in their order.
  func find(_ host: String, port: Int, _ done: @escaping (Result<[SocketAddress], any Error>) -> Void) {
    (running ?? begin(host, port)).whenComplete { result in
      done(result.map { self.choice.addresses(among: $0, at: self.now) })
    }
  }

  private func begin(_ host: String, _ port: Int) -> EventLoopFuture<[SocketAddress]>.Isolated {
    let lookup = resolve(host, port, loop.nonisolated()).assumeIsolated()
    running = lookup
    lookup.whenComplete { _ in self.running = nil }
    return lookup
  }

  /// No connection to them became open.
  func failed(_ addresses: [SocketAddress]) { choice.failed(addresses, at: now) }
  func opened(_ address: SocketAddress) { choice.opened(address) }

  private var now: Duration { .nanoseconds(Int64(loop.nonisolated().now.uptimeNanoseconds)) }
}
