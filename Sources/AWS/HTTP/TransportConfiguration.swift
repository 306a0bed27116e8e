/// The limits, roots and proxies that a transport is built with. Nothing is read from the process's environment.
package struct TransportConfiguration: Sendable {
  /// PEM file of trusted roots in place of the system's (`AWS_CA_BUNDLE`).
  package var caBundle: String?
  /// Proxy for `https://`; nil for none.
  package var httpsProxy: String?
  /// Proxy for `http://`; nil for none.
  package var httpProxy: String?
  /// Hosts that are reached without a proxy, as in `NO_PROXY`.
  package var noProxy: String
  package var connectTimeout: Duration = .seconds(5)
  /// For the whole exchange, from the moment curl takes it up.
  package var timeout: Duration = .seconds(30)
  /// Connections left unused longer than this are not used again.
  package var maximumIdle: Duration = .seconds(20)
  /// Connections older than this are not used again, so that a service's changed addresses are noticed.
  package var maximumLifetime: Duration = .seconds(300)
  /// The time for which an address that was looked up counts.
  package var addressLifetime: Duration = .seconds(30)
  /// Idle connections kept at most; requests in flight are not limited by it.
  package var maximumConnections = 1_100
  /// Connections at a time, those in use and those kept; nil for any number. Requests beyond them wait.
  package var connectionLimit: Int?
  /// Requests waiting and in flight; more are refused with `TransportError.Code.overloaded`.
  package var maximumRequests = 10_000
  package var userAgent = "tickwal"

  package init() {
    noProxy = ""
  }

  /// Takes `AWS_CA_BUNDLE` and the proxy variables in the order that curl does: small letters before capitals,
  /// and `HTTP_PROXY` in capitals not at all, since a web server sets it from a request's header.
  ///
  /// Reference: curl's manual, "ENVIRONMENT".
  package init(environment: [String: String]) {
    func value(_ names: String...) -> String? {
      names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
    }
    caBundle = value("AWS_CA_BUNDLE")
    httpsProxy = value("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
    httpProxy = value("http_proxy", "all_proxy", "ALL_PROXY")
    noProxy = value("no_proxy", "NO_PROXY") ?? ""
  }
}
