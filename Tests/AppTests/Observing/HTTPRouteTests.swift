import Observe
import Testing

@testable import tickwal

@Suite struct HTTPRouteTests {
  private func route(
    _ target: String, by method: String = "GET", isHTTP10: Bool = false, hosts: [String] = ["localhost:9464"],
    accept: String? = nil
  ) -> HTTPRoute {
    HTTPRoute(
      .init(method: method, target: target, isHTTP10: isHTTP10, hosts: hosts, accept: accept),
      names: ["localhost", "127.0.0.1", "::1", "ticks.example"])
  }

  @Test func `each endpoint is found, whatever its query`() {
    #expect(route("/") == .page)
    #expect(route("/metrics?x=1") == .metrics(.text))
    #expect(route("/metrics", accept: "application/openmetrics-text") == .metrics(.openMetrics))
    #expect(route("/livez") == .livez)
    #expect(route("/readyz") == .readyz)
    #expect(route("/api/status") == .status)
    #expect(route("/api/history?since=1") == .history)
    for other in ["/metrics/", "//", "", "/api", "/../metrics", "http://localhost/metrics", "*"] {
      #expect(route(other) == .refused(.notFound))
    }
  }

  @Test(arguments: ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE", "PATCH"])
  func `another method than GET is not allowed`(method: String) {
    #expect(route("/metrics", by: method) == .refused(.notAllowed))
  }

  @Test(arguments: [
    "localhost", "LOCALHOST:1", "127.0.0.1:9464", "[::1]:9464", "[::1]", "ticks.example", "ticks.example.:80",
  ])
  func `this server's own names are served`(host: String) {
    #expect(route("/livez", hosts: [host]) == .livez)
  }

  @Test(arguments: [
    ["evil.example"], ["localhost.evil.example"], [""], [], ["127.0.0.2"], ["localhost", "evil.example"],
    ["localhost", "localhost"], ["[::2]"],
  ])
  func `a name that leads here by a trick is refused, whatever is asked`(hosts: [String]) {
    #expect(route("/livez", hosts: hosts) == .refused(.misdirected))
    #expect(route("/nothing", by: "POST", hosts: hosts) == .refused(.misdirected))
  }

  @Test func `HTTP 1.0 needs no name`() {
    #expect(route("/livez", isHTTP10: true, hosts: []) == .livez)
  }
}
