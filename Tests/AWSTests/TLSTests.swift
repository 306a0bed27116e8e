import AWS
import Foundation
import Testing

private let openssl = "/usr/bin/openssl"

/// TLS against the `openssl` program, which serves a page about each connection.
@Suite(
  .serialized, .timeLimit(.minutes(3)),
  .enabled(if: FileManager.default.isExecutableFile(atPath: openssl), "no openssl program here"))
struct TLSTests {
  /// Makes a certificate for `name` and serves with it.
  private func withServer(
    name: String = "IP:127.0.0.1", _ options: [String] = [], test: (Endpoint, String) async throws -> Void
  ) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tls-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer {
      do { try FileManager.default.removeItem(at: folder) } catch { Issue.record("\(error)") }
    }
    let key = folder.appending(path: "key").path
    let certificate = folder.appending(path: "certificate").path
    let make = try run(
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
      "/CN=test", "-addext", "subjectAltName=\(name)", "-keyout", key, "-out", certificate)
    make.process.waitUntilExit()
    try #require(make.process.terminationStatus == 0)

    let server = try run(
      ["s_server", "-accept", "127.0.0.1:0", "-cert", certificate, "-key", key, "-www"] + options)
    defer {
      // The child inherits the test thread's signal mask, in which SIGTERM is blocked.
      kill(server.process.processIdentifier, SIGKILL)
      server.process.waitUntilExit()
    }
    let port = try port(server.output)
    try await test(Endpoint(scheme: .https, host: "127.0.0.1", port: port), certificate)
  }

  private func run(_ arguments: String...) throws -> (process: Process, output: FileHandle) {
    try run(arguments)
  }

  private func run(_ arguments: [String]) throws -> (process: Process, output: FileHandle) {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: openssl)
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    return (process, output.fileHandleForReading)
  }

  /// From the line `ACCEPT 127.0.0.1:45123`.
  private func port(_ output: FileHandle) throws -> Int {
    var text = ""
    while true {
      let data = output.availableData
      try #require(!data.isEmpty, "openssl s_server ended: \(text)")
      text += String(decoding: data, as: UTF8.self)
      for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
      where line.hasPrefix("ACCEPT") {
        return try #require(Int(line.split(separator: ":").last ?? ""))
      }
    }
  }

  private func send(_ endpoint: Endpoint, caBundle: String?) async throws -> HTTPResponse {
    var environment: [String: String] = [:]
    environment["AWS_CA_BUNDLE"] = caBundle
    let transport = try CurlTransport(TransportConfiguration(environment: environment))
    defer { transport.close() }
    return try await transport.send(HTTPRequest(.get, endpoint))
  }

  private func expectRefusal(
    _ endpoint: Endpoint, caBundle: String?, _ location: SourceLocation = #_sourceLocation
  ) async {
    let error = await #expect(throws: TransportError.self, sourceLocation: location) {
      _ = try await send(endpoint, caBundle: caBundle)
    }
    #expect(error?.code == .tls, "\(String(describing: error))", sourceLocation: location)
  }

  @Test func `a certificate that AWS_CA_BUNDLE vouches for is trusted, no other`() async throws {
    try await withServer { endpoint, certificate in
      let response = try await send(endpoint, caBundle: certificate)
      #expect(response.status == 200)
      await expectRefusal(endpoint, caBundle: nil)
      await expectRefusal(endpoint, caBundle: "/nonexistent.pem")
    }
  }

  @Test func `a certificate for another name is refused`() async throws {
    try await withServer(name: "DNS:other.example") { endpoint, certificate in
      await expectRefusal(endpoint, caBundle: certificate)
    }
  }

  @Test func `TLS 1.2 is spoken, 1.1 is not`() async throws {
    try await withServer(["-tls1_2"]) { endpoint, certificate in
      let response = try await send(endpoint, caBundle: certificate)
      #expect(response.status == 200)
    }
    try await withServer(["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"]) { endpoint, certificate in
      await expectRefusal(endpoint, caBundle: certificate)
    }
  }
}
