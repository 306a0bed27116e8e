import Base
import Testing

@Suite struct URLTests {
  @Test func `a URL comes apart`() throws {
    let url = try URLText("WSS://u:p@Host.example:9443/ws/a@trade?x=1?y", schemes: ["ws", "wss"])
    #expect((url.scheme, url.userInfo, url.host, url.port) == ("wss", "u:p", "Host.example", 9443))
    #expect((url.path, url.query) == ("/ws/a@trade", "x=1?y"))
    let bare = try URLText("http://h?", schemes: ["http"])
    #expect((bare.userInfo, bare.host, bare.port, bare.path, bare.query) == (nil, "h", nil, "", ""))
    #expect(try URLText("http://[fe80::1%eth0]:1/", schemes: ["http"]).host == "fe80::1%eth0")
  }

  @Test(arguments: [
    "", "h", "h:1", "ftp://h", "http:/h", "http://", "http:///p", "http://:1", "http://h:", "http://h:0",
    "http://h:65536", "http://h:+1", "http://h:1:2", "http://h:x", "http://a b", "http://h/\u{7}",
    "http://h/\u{2028}", "http://h#f", "http://[::1", "http://[::1]x", "http://[]", "http://[abc]",
    "http://[::1/]", "http://::1", "http://h\u{E9}", "http://h%20", "http://a@b@", " http://h",
  ])
  func `anything else is a mistake that does not repeat it`(text: String) {
    let mistake = #expect(throws: URLText.Mistake.self) { try URLText(text, schemes: ["http", "https"]) }
    #expect(text.count < 5 || mistake?.reason.contains(text) == false)
  }

  @Test(arguments: [
    ("wss://u:p@h/a", "wss://***@h/a"), ("u:p@h:1", "***@h:1"), ("http://u:p/w@h/", "http://***@h/"),
    ("ws://h/?a=1&streams=b@c", "ws://h/?a=***&streams=b@c"), ("ws://h/s@x", "ws://***@x"),
    ("http://h?", "http://h?"), ("plain", "plain"),
  ])
  func `credentials are taken out`(text: String, shown: String) {
    #expect(URLText.redacted(text) == shown)
  }
}
