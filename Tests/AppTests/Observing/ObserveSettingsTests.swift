import Testing

@testable import tickwal

@Suite struct ObserveSettingsTests {
  @Test func `nothing is served but to this machine, unless it is said`() throws {
    let settings = try configuration().observe
    #expect(settings.listen?.description == "127.0.0.1:9464")
    #expect(settings.allowedHosts.isEmpty && settings.heartbeat == nil)
    #expect(settings.readyMaximumLag == .seconds(300) && settings.heartbeatInterval == .seconds(60))
  }

  @Test(arguments: [
    ("0.0.0.0:80", "0.0.0.0:80"), (":0", "127.0.0.1:0"), ("[::1]:9464", "[::1]:9464"), ("[::]:1", "[::]:1"),
    ("localhost:65535", "localhost:65535"), (" 10.0.0.1:1 ", "10.0.0.1:1"),
  ])
  func `an address to listen at is taken`(text: String, meant: String) throws {
    #expect(try configuration(["HTTP_LISTEN": text]).observe.listen?.description == meant)
  }

  @Test func `off serves nobody`() throws {
    #expect(try configuration(["HTTP_LISTEN": "OFF"]).observe.listen == nil)
  }

  @Test(arguments: [
    "9464", "127.0.0.1", "host:1", "1.2.3:1", "::1:9464", "[1.2.3.4]:1", ":65536", ":-1", "on", "[::1:1",
  ])
  func `an address that nobody can listen at is refused before anything starts`(text: String) throws {
    let said = try complaints(["HTTP_LISTEN": text])
    #expect(said.count == 1 && said[0].contains("HTTP_LISTEN"))
  }

  @Test func `host names are taken in any case, and what is none is refused`() throws {
    #expect(
      try configuration(["HTTP_ALLOWED_HOSTS": "Ticks.Example, 10.0.0.1"]).observe.allowedHosts
        == ["ticks.example", "10.0.0.1"])
    for text in ["a,,b", "a:80", "a b", "*"] {
      #expect(try complaints(["HTTP_ALLOWED_HOSTS": text]).count == 1)
    }
  }

  @Test func `the heartbeat's URL is never shown`() throws {
    let settings = try configuration(["HEARTBEAT_URL": "https://hc.example/ping/5ecre7?x=1"])
    #expect(settings.observe.heartbeat?.query == "x=1")
    #expect(!settings.document.text.contains("5ecre7"))
    #expect(settings.document.text.contains(#""HEARTBEAT_URL":{"value":"(hidden)""#))
    let said = try complaints(["HEARTBEAT_URL": "ftp://hc.example/5ecre7"])
    #expect(said.count == 1 && !said[0].contains("5ecre7"))
  }
}
