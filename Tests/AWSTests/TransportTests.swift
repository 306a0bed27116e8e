import Base
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(3))) struct TransportTests {
  /// What the server does about each request.
  private struct Script {
    var reply: @Sendable (LoopbackServer.Received) -> LoopbackServer.Reply
    init(_ reply: @escaping @Sendable (LoopbackServer.Received) -> LoopbackServer.Reply) {
      self.reply = reply
    }
  }

  private func withServer(
    _ script: Script, test: (LoopbackServer, CurlTransport, Endpoint) async throws -> Void
  ) async throws {
    try await withServer(TransportConfiguration(), script, test: test)
  }

  private func withServer(
    _ configuration: TransportConfiguration, _ script: Script,
    test: (LoopbackServer, CurlTransport, Endpoint) async throws -> Void
  ) async throws {
    let server = try LoopbackServer(script.reply)
    defer { server.stop() }
    let transport = try CurlTransport(configuration)
    defer { transport.close() }
    try await test(server, transport, Endpoint(scheme: .http, host: "127.0.0.1", port: server.port))
  }

  private func expect(
    _ code: TransportError.Code, _ send: () async throws -> HTTPResponse,
    _ location: SourceLocation = #_sourceLocation
  ) async {
    let error = await #expect(throws: TransportError.self, sourceLocation: location) { _ = try await send() }
    #expect(error?.code == code, "\(String(describing: error))", sourceLocation: location)
  }

  @Test func `requests one after the other share a connection`() async throws {
    try await withServer(Script { .answer(headers: ["X-Number": "\($0.number)"], body: $0.body) }) {
      server, transport, endpoint in
      for number in 1...20 {
        let body = Array("body \(number)".utf8)
        let response = try await transport.send(HTTPRequest(.post, endpoint, body: body))
        #expect(response.status == 200)
        #expect(response.body == body)
        #expect(response.header("x-number") == "\(number)")
      }
      #expect(server.connections == 1)
    }
  }

  @Test func `requests at once get each its own answer, over kept connections`() async throws {
    try await withServer(Script { .answer(body: $0.body) }) { server, transport, endpoint in
      for _ in 1...3 {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for number in 1...40 {
            group.addTask {
              let body = Array("body \(number)".utf8)
              let response = try await transport.send(
                HTTPRequest(.put, endpoint, path: "/\(number)", body: body))
              #expect(response.body == body)
            }
          }
          try await group.waitForAll()
        }
      }
      #expect(server.connections <= 40)
      #expect(server.received.count == 120)
    }
  }

  @Test func `each method arrives as itself on one reused handle`() async throws {
    try await withServer(
      Script { .answer(headers: ["Content-Length": $0.line.hasPrefix("HEAD") ? "77" : "0"]) }
    ) {
      server, transport, endpoint in
      let methods: [HTTPRequest.Method] = [.get, .head, .put, .post, .delete, .head, .post, .get, .put]
      for method in methods {
        let response = try await transport.send(HTTPRequest(method, endpoint, path: "/x"))
        #expect(response.header("content-length") == (method == .head ? "77" : "0"))
      }
      #expect(server.received.map(\.line) == methods.map { "\($0.rawValue) /x HTTP/1.1" })
      #expect(server.connections == 1)
    }
  }

  @Test func `a kept connection that the server has closed is replaced`() async throws {
    try await withServer(Script { _ in .bytesAndClose("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") }) {
      server, transport, endpoint in
      for number in 1...5 {
        let response = try await transport.send(HTTPRequest(.post, endpoint, body: [1, 2, 3]))
        #expect(response.body == Array("ok".utf8))
        #expect(server.connections == number)
      }
    }
  }

  @Test(arguments: [false, true])
  func `a kept connection that ends as the next request arrives is replaced`(isReset: Bool) async throws {
    try await withServer(
      Script { request in
        if request.number == 1 { return .answer(body: request.body) }
        return isReset ? .bytesAndReset("") : .bytesAndClose("")
      }
    ) { server, transport, endpoint in
      for _ in 1...5 {
        let response = try await transport.send(HTTPRequest(.put, endpoint, body: [1, 2, 3]))
        #expect(response.body == [1, 2, 3])
      }
      #expect(server.received.allSatisfy { $0.body == [1, 2, 3] })
    }
  }

  @Test(arguments: [
    LoopbackServer.Reply.bytesAndReset("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    .bytesAndClose("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    .bytesAndClose("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nha"),
    .bytesAndClose(""), .bytesAndReset(""), .bytesAndReset("HTTP/1.1 200 OK\r\nContent-"),
  ])
  func `an answer that is cut off is a lost connection`(reply: LoopbackServer.Reply) async throws {
    try await withServer(Script { _ in reply }) { _, transport, endpoint in
      await expect(.connectionLost) { try await transport.send(HTTPRequest(.get, endpoint)) }
    }
  }

  @Test(arguments: ["\0\u{1}garbage\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n", "<html>hello</html>"])
  func `an answer that is not HTTP is told apart`(text: String) async throws {
    try await withServer(Script { _ in .bytesAndClose(text) }) { _, transport, endpoint in
      await expect(.malformedAnswer) { try await transport.send(HTTPRequest(.get, endpoint)) }
    }
  }

  @Test(arguments: [
    LoopbackServer.Reply.answer(body: [UInt8](repeating: 65, count: 101)),
    .bytes(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n" + String(repeating: "A", count: 101)),
    .bytes(
      "HTTP/1.1 200 OK\r\n"
        + String(repeating: "X-Filler: \(String(repeating: "a", count: 1_000))\r\n", count: 70)),
  ])
  func `a longer answer than asked for is given up`(reply: LoopbackServer.Reply) async throws {
    try await withServer(Script { _ in reply }) { _, transport, endpoint in
      await expect(.responseTooLarge) {
        try await transport.send(HTTPRequest(.get, endpoint, maximumResponseBytes: 100))
      }
    }
  }

  @Test func `an answer of just the length asked for is taken`() async throws {
    try await withServer(Script { _ in .answer(body: [UInt8](repeating: 65, count: 100)) }) {
      _, transport, endpoint in
      let response = try await transport.send(HTTPRequest(.get, endpoint, maximumResponseBytes: 100))
      #expect(response.body.count == 100)
    }
  }

  @Test func `an answer that arrives byte by byte, after an interim one, is put together`() async throws {
    let text =
      "HTTP/1.1 100 Continue\r\nX-Old: 1\r\n\r\nHTTP/1.1 201 Made\r\nX-New:  2 \r\nContent-Length: 3\r\n\r\nabc"
    try await withServer(Script { _ in .trickle(text) }) { _, transport, endpoint in
      let response = try await transport.send(HTTPRequest(.put, endpoint, body: [1]))
      #expect(response.status == 201)
      #expect(response.header("X-NEW") == "2")
      #expect(response.header("x-old") == nil)
      #expect(response.body == Array("abc".utf8))
    }
  }

  @Test func `a redirect is an answer`() async throws {
    try await withServer(Script { _ in .answer(status: 307, headers: ["Location": "/elsewhere"]) }) {
      server, transport, endpoint in
      let status = try await transport.send(HTTPRequest(.get, endpoint)).status
      #expect(status == 307)
      #expect(server.received.count == 1)
    }
  }

  @Test func `a large body arrives whole and unannounced`() async throws {
    let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    try await withServer(Script { _ in .answer() }) { server, transport, endpoint in
      for body in [body, [1], []] {
        _ = try await transport.send(HTTPRequest(.put, endpoint, headers: ["X-A": ""], body: body))
        let received = try #require(server.received.last)
        #expect(received.body == body)
        #expect(received.headers["content-length"] == "\(body.count)")
        for name in ["expect", "accept", "content-type"] { #expect(received.headers[name] == nil) }
        #expect(received.headers["x-a"] == "")
        #expect(received.headers["user-agent"] == "tickwal")
      }
    }
  }

  @Test func `path and query travel as they are`() async throws {
    try await withServer(Script { _ in .answer() }) { server, transport, endpoint in
      let request = HTTPRequest(.get, endpoint, path: "/a/../b//./%C3%A9%2B/", query: "x=%20&y")
      _ = try await transport.send(request)
      #expect(server.received.map(\.line) == ["GET /a/../b//./%C3%A9%2B/?x=%20&y HTTP/1.1"])
      #expect(server.received[0].headers["host"] == "127.0.0.1:\(server.port)")
    }
  }

  @Test(arguments: ["a\r\nX-Evil: 1", "a\nb", "a\0b"])
  func `a header cannot smuggle in another`(value: String) async throws {
    try await withServer(Script { _ in .answer() }) { server, transport, endpoint in
      await expect(.invalidRequest) {
        try await transport.send(HTTPRequest(.get, endpoint, headers: ["X-A": value]))
      }
      await expect(.invalidRequest) {
        try await transport.send(HTTPRequest(.get, endpoint, path: "/\(value)"))
      }
      await expect(.invalidRequest) { try await transport.send(HTTPRequest(.get, endpoint, path: "/ b")) }
      #expect(server.connections == 0)
    }
  }

  @Test func `a server that says nothing is given up in time, and the connection with it`() async throws {
    try await withServer(Script { _ in .silence }) { server, transport, endpoint in
      let request = HTTPRequest(.get, endpoint, timeout: .milliseconds(100))
      await expect(.timedOut) { try await transport.send(request) }
      await server.wait { $0.abandoned == 1 }
    }
  }

  @Test func `a port where nobody listens is told`() async throws {
    let server = try LoopbackServer()
    let endpoint = Endpoint(scheme: .http, host: "127.0.0.1", port: server.port)
    server.stop()
    let transport = try CurlTransport()
    defer { transport.close() }
    await expect(.connect) { try await transport.send(HTTPRequest(.get, endpoint)) }
    let nameless = Endpoint(scheme: .http, host: "name.invalid")
    await expect(.resolve) { try await transport.send(HTTPRequest(.get, nameless)) }
  }

  @Test func `cancelling the task ends the transfer, and others go on`() async throws {
    try await withServer(Script { $0.line.contains("slow") ? .silence : .answer() }) {
      server, transport, endpoint in
      await withTaskGroup(of: Bool.self) { group in
        group.addTask {
          await #expect(throws: CancellationError.self) {
            _ = try await transport.send(HTTPRequest(.post, endpoint, path: "/slow"))
          } != nil
        }
        await server.wait { $0.received.count == 1 }
        group.cancelAll()
        await group.waitForAll()
      }
      await server.wait { $0.abandoned == 1 }
      let status = try await transport.send(HTTPRequest(.get, endpoint)).status
      #expect(status == 200)
    }
  }

  @Test func `what no task waits for is answered, called off, or refused`() async throws {
    try await withServer(Script { $0.line.contains("slow") ? .silence : .answer(body: $0.body) }) {
      server, transport, endpoint in
      let ended = Watch<[String: Result<HTTPResponse, any Error>]>([:])
      func submit(_ path: String) throws -> CallOff {
        try #require(
          transport.submit(HTTPRequest(.post, endpoint, path: path, body: Array(path.utf8))) { answer in
            // Told once the answers of that moment are all there.
            return { ended.update { $0[path] = answer } }
          })
      }
      let callOff = try submit("/slow")
      for number in 0..<8 { _ = try submit("/\(number)") }
      let answers = try await ended.wait { $0.count == 8 }
      for (path, answer) in answers { #expect(try answer.get().body == Array(path.utf8)) }
      await server.wait { $0.received.count == 9 }
      callOff()
      let all = try await ended.wait { $0.count == 9 }
      #expect(throws: CancellationError.self) { try all["/slow"]?.get() }
      await server.wait { $0.abandoned == 1 }
      transport.close()
      #expect(transport.submit(HTTPRequest(.get, endpoint)) { _ in nil } == nil)
    }
  }

  @Test func `a task cancelled before sends nothing`() async throws {
    try await withServer(Script { _ in .answer() }) { server, transport, endpoint in
      await withTaskGroup(of: Void.self) { group in
        group.cancelAll()
        group.addTask {
          await #expect(throws: CancellationError.self) {
            _ = try await transport.send(HTTPRequest(.get, endpoint))
          }
        }
      }
      let status = try await transport.send(HTTPRequest(.get, endpoint, path: "/after")).status
      #expect(status == 200)
      #expect(server.received.map(\.line) == ["GET /after HTTP/1.1"])
    }
  }

  @Test func `closing finishes what waits and refuses what comes`() async throws {
    try await withServer(Script { _ in .silence }) { server, transport, endpoint in
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 1...5 {
          group.addTask { await expect(.closed) { try await transport.send(HTTPRequest(.get, endpoint)) } }
        }
        await server.wait { $0.received.count == 5 }
        transport.close()
        try await group.waitForAll()
      }
      await server.wait { $0.abandoned == 5 }
      transport.close()
      await expect(.closed) { try await transport.send(HTTPRequest(.get, endpoint)) }
    }
  }

  @Test func `a transport that nobody holds any more closes its connections`() async throws {
    try await withServer(Script { _ in .answer() }) { server, _, endpoint in
      var transport: CurlTransport? = try CurlTransport()
      _ = try await transport?.send(HTTPRequest(.get, endpoint))
      transport = nil
      // The same port serves on; the first connection's thread has ended.
      let again = try CurlTransport()
      _ = try await again.send(HTTPRequest(.get, endpoint))
      again.close()
      #expect(server.connections == 2)
    }
  }

  @Test func `more requests at once than allowed are refused`() async throws {
    var configuration = TransportConfiguration()
    configuration.maximumRequests = 2
    try await withServer(configuration, Script { _ in .silence }) { server, transport, endpoint in
      await withTaskGroup(of: Void.self) { group in
        for _ in 1...2 {
          group.addTask { await expect(.closed) { try await transport.send(HTTPRequest(.get, endpoint)) } }
        }
        await server.wait { $0.received.count == 2 }
        await expect(.overloaded) { try await transport.send(HTTPRequest(.get, endpoint)) }
        transport.close()
      }
    }
  }

  @Test func `requests wait for a connection without their time running`() async throws {
    var configuration = TransportConfiguration()
    configuration.connectionLimit = 2
    configuration.timeout = .seconds(600)
    let both = DispatchSemaphore(value: 0)
    try await withServer(
      configuration,
      Script { _ in
        both.wait()
        return .answer()
      }
    ) { server, transport, endpoint in
      try await withThrowingTaskGroup(of: Int.self) { group in
        for _ in 1...20 {
          group.addTask { try await transport.send(HTTPRequest(.get, endpoint)).status }
        }
        await server.wait { $0.received.count == 2 }
        for _ in 1...20 { both.signal() }
        for try await status in group { #expect(status == 200) }
      }
      #expect(server.connections == 2)
    }
  }

  @Test func `a request that waits for a connection can be called off`() async throws {
    var configuration = TransportConfiguration()
    configuration.connectionLimit = 1
    configuration.timeout = .seconds(600)
    try await withServer(configuration, Script { _ in .silence }) { server, transport, endpoint in
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await expect(.closed) { try await transport.send(HTTPRequest(.get, endpoint)) } }
        await server.wait { $0.received.count == 1 }
        let waiting = Task { try await transport.send(HTTPRequest(.get, endpoint)) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { _ = try await waiting.value }
        let last = Task { await expect(.closed) { try await transport.send(HTTPRequest(.get, endpoint)) } }
        transport.close()
        await last.value
      }
    }
  }

  @Test func `the system's name of what went wrong is said`() async throws {
    let server = try LoopbackServer()
    let endpoint = Endpoint(scheme: .http, host: "127.0.0.1", port: server.port)
    server.stop()
    let transport = try CurlTransport(TransportConfiguration())
    defer { transport.close() }
    let error = await #expect(throws: TransportError.self) {
      _ = try await transport.send(HTTPRequest(.get, endpoint))
    }
    #expect(
      error?.code == .connect && error?.detail.hasSuffix("(ECONNREFUSED)") == true,
      "\(String(describing: error))")
  }

  @Test func `curl without memory fails what is under way, and the next request is sent`() async throws {
    let server = try LoopbackServer { _ in .answer() }
    defer { server.stop() }
    let isOutOfMemory = Atomic(true)
    let transport = try CurlTransport(TransportConfiguration()) { isOutOfMemory.load(ordering: .relaxed) }
    defer { transport.close() }
    let request = HTTPRequest(.get, Endpoint(scheme: .http, host: "127.0.0.1", port: server.port))
    for _ in 1...3 {
      let error = await #expect(throws: TransportError.self) { _ = try await transport.send(request) }
      #expect(error?.code == .failed && error?.isRetriable == true)
      #expect(error?.description.contains("memory") == true)
    }
    isOutOfMemory.store(false, ordering: .relaxed)
    #expect(try await transport.send(request).status == 200)
  }

  @Test func `a proxy is used as its variables say`() async throws {
    let proxy = try LoopbackServer()
    defer { proxy.stop() }
    let environment = ["http_proxy": "http://127.0.0.1:\(proxy.port)", "NO_PROXY": "127.0.0.1"]
    try await withServer(TransportConfiguration(environment: environment), Script { _ in .answer() }) {
      server, transport, endpoint in
      _ = try await transport.send(
        HTTPRequest(.get, Endpoint(scheme: .http, host: "name.invalid"), path: "/p"))
      #expect(proxy.received.map(\.line) == ["GET http://name.invalid/p HTTP/1.1"])
      _ = try await transport.send(HTTPRequest(.get, endpoint))
      #expect(server.received.count == 1)
      #expect(proxy.received.count == 1)
    }
  }

  @Test func `a proxy gets its user and password, and nobody else does`() async throws {
    let proxy = try LoopbackServer { request in
      request.headers["proxy-authorization"] == "Basic dXM6aHVudGVyIDI=" ? .answer() : .answer(status: 407)
    }
    defer { proxy.stop() }
    let environment = ["http_proxy": "http://us:hunter%202@127.0.0.1:\(proxy.port)"]
    try await withServer(TransportConfiguration(environment: environment), Script { _ in .answer() }) {
      server, transport, endpoint in
      for (usesProxy, status) in [(true, 200), (false, 200), (true, 200)] {
        let response = try await transport.send(HTTPRequest(.get, endpoint, usesProxy: usesProxy))
        #expect(response.status == status)
      }
      #expect(proxy.received.count == 2)
      #expect(server.received.map { $0.headers["proxy-authorization"] } == [nil])
    }
  }

  @Test func `a proxy that refuses a tunnel is told without its password`() async throws {
    let proxy = try LoopbackServer { _ in .answer(status: 407, headers: ["Proxy-Authenticate": "Basic"]) }
    defer { proxy.stop() }
    let environment = ["HTTPS_PROXY": "http://user:hunter2@127.0.0.1:\(proxy.port)"]
    let transport = try CurlTransport(TransportConfiguration(environment: environment))
    defer { transport.close() }
    let error = await #expect(throws: TransportError.self) {
      _ = try await transport.send(HTTPRequest(.get, Endpoint(host: "name.invalid")))
    }
    #expect(error?.description.contains("407") == true && error?.isRetriable == true)
    #expect("\(String(describing: error))\(String(reflecting: error))".contains("hunter2") == false)
    #expect(proxy.received.map(\.line).first == "CONNECT name.invalid:443 HTTP/1.1")
  }

  @Test func `an old connection is replaced`() async throws {
    var configuration = TransportConfiguration()
    configuration.maximumLifetime = .seconds(1)
    try await withServer(configuration, Script { _ in .answer() }) { server, transport, endpoint in
      let isReplaced = try await eventually {
        _ = try await transport.send(HTTPRequest(.get, endpoint))
        return server.connections >= 2
      }
      #expect(isReplaced)
    }
  }

  @Test func `addresses of both kinds are reached`() async throws {
    let server = try LoopbackServer(isIPv6: true) { _ in .answer() }
    defer { server.stop() }
    let transport = try CurlTransport()
    defer { transport.close() }
    for host in ["[::1]", "localhost"] {
      let endpoint = try #require(Endpoint("http://\(host):\(server.port)"))
      let status = try await transport.send(HTTPRequest(.get, endpoint)).status
      #expect(status == 200)
    }
    #expect(
      server.received.map { $0.headers["host"] } == ["[::1]:\(server.port)", "localhost:\(server.port)"])
  }

  @Test func `a host that is none is refused`() async throws {
    let transport = try CurlTransport()
    defer { transport.close() }
    for host in ["", "a/b", "user@host", "a b", "s3.evil.example#.amazonaws.com"] {
      await expect(.invalidRequest) { try await transport.send(HTTPRequest(.get, Endpoint(host: host))) }
    }
  }

  @Test func `an error shows no path and no proxy password`() async throws {
    let environment = ["http_proxy": "foo://user:hunter2@127.0.0.1:1"]
    let transport = try CurlTransport(TransportConfiguration(environment: environment))
    defer { transport.close() }
    let request = HTTPRequest(.get, Endpoint(scheme: .http, host: "name.invalid"), path: "/secret-path")
    let error = await #expect(throws: TransportError.self) { _ = try await transport.send(request) }
    let text = "\(String(describing: error)) \(String(reflecting: error))"
    #expect(!text.contains("hunter2") && !text.contains("secret-path"), "\(text)")
  }
}
