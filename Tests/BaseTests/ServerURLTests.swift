import Base
import Testing

@Suite struct ServerURLTests {
  private static let schemes: Set = ["ws", "wss"]

  @Test func `a URL is taken apart as it is written`() throws {
    let url = try ServerURL("WSS://Example.org:9443/market/ws?a=1?b", schemes: Self.schemes)
    #expect(url.scheme == "wss" && url.host == "Example.org" && url.port == 9443)
    #expect(url.path == "/market/ws" && url.query == "a=1?b")
    let bare = try ServerURL("ws://h", schemes: Self.schemes)
    #expect(bare.port == nil && bare.path == "" && bare.query == nil)
    #expect(try ServerURL("ws://h?", schemes: Self.schemes).query == "")
  }

  @Test func `an IPv6 address loses its brackets and gets them back`() throws {
    let url = try ServerURL("ws://[2001:db8::1]:444/", schemes: Self.schemes)
    #expect(url.host == "2001:db8::1" && url.port == 444)
    #expect(url.bracketedHost == "[2001:db8::1]" && !url.isHostName)
  }

  @Test(arguments: [
    ("ws://10.0.0.1", false), ("ws://h", true), ("ws://h.example.", true), ("ws://4h.example", true),
  ])
  func `an address is no name`(_ text: String, _ isName: Bool) throws {
    #expect(try ServerURL(text, schemes: Self.schemes).isHostName == isName)
  }

  @Test(
    arguments: [
      ("", .scheme), ("h:80", .scheme), ("http://h", .scheme), ("ws:/h", .scheme), ("ws://", .noHost),
      ("ws://:80", .noHost), ("ws://h:0", .port), ("ws://h:65536", .port), ("ws://h:+80", .port),
      ("ws://h:x", .port), ("ws://h:", .port), ("ws://::1", .manyColons), ("ws://[::1", .bracket),
      ("ws://[::1]x", .afterBracket), ("ws://h/#part", .fragment), ("ws://h/a b", .notASCII),
      ("ws://hé", .notASCII), ("ws://me:secret@h", .userInfo), ("ws://h;x", .host), ("ws://[h/]", .bracket),
      ("ws://[a\"]", .host),
    ] as [(String, ServerURL.Problem)])
  func `a text that is no such URL is refused`(_ text: String, _ problem: ServerURL.Problem) {
    #expect(throws: problem) { try ServerURL(text, schemes: Self.schemes) }
  }
}
