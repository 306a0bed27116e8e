import Glibc
import NIOCore
import Testing

@testable import Ingest

@Suite struct NetworkTroubleTests {
  @Test(arguments: [
    (ECONNREFUSED, "the server refused the connection (ECONNREFUSED)"),
    (ECONNRESET, "the server or something in between reset the connection (ECONNRESET)"),
    (EHOSTUNREACH, "there is no way to the server (EHOSTUNREACH)"),
    (EDOM, "Numerical argument out of domain (errno 33)"),
  ])
  func `a failed call is told in an operator's words`(_ code: Int32, _ text: String) {
    #expect(NetworkTrouble.text(IOError(errnoCode: code, reason: "connection reset (error set)")) == text)
  }

  @Test func `a TCP connection that nobody answers says for how long`() {
    #expect(
      NetworkTrouble.text(ChannelError.connectTimeout(.seconds(10)))
        == "no answer to the TCP connection within 10 s")
  }

  @Test(arguments: [
    (EAI_AGAIN, "no answer from DNS for the name h (words)"),
    (EAI_NONAME, "DNS knows no address of the name h (words)"),
    (-5, "DNS knows no address of the name h (words)"),
    (EAI_FAIL, "the name h cannot be looked up (words)"),
  ])
  func `a name without an address is told as that`(_ code: Int32, _ text: String) {
    let error = HostLookup.failure("h", code, "words")
    #expect(error.code == .lookupFailed && error.description == text)
  }
}
