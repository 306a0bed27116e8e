import NIOCore

/// The choice among the addresses of the exchange's name: those behind which no connection came about are left out
/// for the next attempts, unless that leaves none.
///
/// An address that takes no TCP connections is found out within one attempt; this is about those that take them and
/// then hang, or refuse the upgrade. Times are of one monotonic clock.
struct AddressChoice: Sendable {
  private struct Failure {
    var address: SocketAddress
    var at: Duration
  }

  /// The time for which an address is left out.
  static let memory = Duration.seconds(600)
  /// Names may lead to other addresses each time.
  static let mostFailures = 64

  private var failures: [Failure] = []

  /// No connection to them became open.
  mutating func failed(_ addresses: [SocketAddress], at now: Duration) {
    failures.removeAll { addresses.contains($0.address) || now - $0.at >= Self.memory }
    failures += addresses.map { Failure(address: $0, at: now) }
    if failures.count > Self.mostFailures { failures.removeFirst(failures.count - Self.mostFailures) }
  }

  mutating func opened(_ address: SocketAddress) { failures.removeAll { $0.address == address } }

  /// The addresses to try, in their order. If all of them have failed, they begin anew.
  mutating func addresses(among found: [SocketAddress], at now: Duration) -> [SocketAddress] {
    let untried = found.filter { address in
      !failures.contains { $0.address == address && now - $0.at < Self.memory }
    }
    if !untried.isEmpty { return untried }
    failures.removeAll { found.contains($0.address) }
    return found
  }
}
