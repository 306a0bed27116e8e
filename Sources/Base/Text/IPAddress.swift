import Glibc

/// The text form of IPv4 and IPv6 addresses.
package enum IPAddress {
  /// Reference: inet_pton(3).
  package static func isOne(_ text: String) -> Bool {
    var buffer = in6_addr()
    return inet_pton(AF_INET, text, &buffer) == 1 || inet_pton(AF_INET6, text, &buffer) == 1
  }
}
