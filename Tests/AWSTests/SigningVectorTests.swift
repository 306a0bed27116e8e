import Base
import Foundation
import Testing

@testable import AWS

/// The signing suite of awslabs/aws-c-auth, where a copy of it lies beside the package.
@Suite(.enabled(if: SigningVector.folder != nil, "no copy of the signing suite here"))
struct SigningVectorTests {
  @Test(arguments: SigningVector.all)
  func `every published vector comes out to the byte`(vector: SigningVector) throws {
    var request = vector.request
    vector.signer.sign(&request, credentials: vector.credentials, epochSeconds: vector.epochSeconds) { day in
      SigningKey(
        secretAccessKey: vector.credentials.secretAccessKey, day: day, region: vector.region,
        service: vector.service)
    }
    let authorization = try #require(request.headers["authorization"])
    #expect(authorization.hasSuffix("Signature=\(vector.expected("header-signature"))"))
    #expect(vector.expected("header-signed-request").contains("Authorization:\(authorization)\n"))
  }

  @Test(arguments: SigningVector.all)
  func `canonical request and string to sign are the published ones`(vector: SigningVector) throws {
    var request = vector.request
    var day: [UInt8] = []
    vector.signer.sign(&request, credentials: vector.credentials, epochSeconds: vector.epochSeconds) {
      day = Array($0)
      return SigningKey(
        secretAccessKey: vector.credentials.secretAccessKey, day: $0, region: vector.region,
        service: vector.service)
    }
    // What came after signing is not in the canonical request.
    var signed = HTTPHeaders()
    for field in request.headers.fields {
      let name = String(decoding: request.headers.bytes[field.name], as: UTF8.self)
      if name == "Authorization" { break }
      signed.add(name, String(decoding: request.headers.bytes[field.value], as: UTF8.self))
    }
    let canonical = CanonicalRequest(
      method: request.method, path: request.path, pathStyle: vector.signer.path, query: request.query,
      headers: signed, payload: .init(of: request.body))
    #expect(String(decoding: canonical.bytes, as: UTF8.self) == vector.expected("header-canonical-request"))

    let text = SigV4Signer.stringToSign(
      date: Array("20150830T123600Z".utf8), scope: day + Array("/us-east-1/service/aws4_request".utf8),
      SHA256.hash(canonical.bytes))
    #expect(String(decoding: text, as: UTF8.self) == vector.expected("header-string-to-sign"))
  }
}

extension Digest {
  init(of bytes: [UInt8]) { self = SHA256.hash(bytes) }
}

struct SigningVector: CustomTestStringConvertible, Sendable {
  struct Context: Decodable {
    struct Keys: Decodable {
      var accessKeyId: String
      var secretAccessKey: String
      var token: String?
    }
    var credentials: Keys
    var normalize: Bool
    var region: String
    var service: String
    var signBody: Bool
    var timestamp: String
    var omitSessionToken: Bool?
  }

  let folder: URL
  let request: HTTPRequest
  let signer: SigV4Signer
  let credentials: Credentials
  let epochSeconds: Int
  let region: String
  let service: String

  var testDescription: String { folder.lastPathComponent }

  func expected(_ name: String) -> String {
    guard let text = try? String(contentsOf: folder.appending(path: "\(name).txt"), encoding: .utf8) else {
      Issue.record("\(folder.path)/\(name).txt cannot be read")
      return ""
    }
    return text
  }

  static let folder: URL? = {
    let package = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let folder = package.appending(path: "../shared/data/sigv4").standardized
    return FileManager.default.fileExists(atPath: folder.path) ? folder : nil
  }()

  static let all: [SigningVector] = {
    guard let folder else { return [] }
    do {
      return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        .filter { FileManager.default.fileExists(atPath: $0.appending(path: "context.json").path) }
        .sorted { $0.path < $1.path }.map(SigningVector.init)
    } catch {
      Issue.record("\(error)")
      return []
    }
  }()

  init(_ folder: URL) throws {
    self.folder = folder
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let context = try decoder.decode(
      Context.self, from: Data(contentsOf: folder.appending(path: "context.json")))
    let formatter = ISO8601DateFormatter()
    epochSeconds = Int(try #require(formatter.date(from: context.timestamp)).timeIntervalSince1970)
    region = context.region
    service = context.service
    credentials = Credentials(
      accessKeyID: context.credentials.accessKeyId, secretAccessKey: context.credentials.secretAccessKey,
      sessionToken: context.credentials.token, source: "test")
    signer = SigV4Signer(
      path: context.normalize ? .normalized : .encoded, sendsPayloadHash: context.signBody,
      leavesTokenUnsigned: context.omitSessionToken ?? false)
    request = try Self.request(
      String(contentsOf: folder.appending(path: "request.txt"), encoding: .utf8))
  }

  private static func request(_ text: String) throws -> HTTPRequest {
    let halves = text.split(separator: "\n\n", maxSplits: 1, omittingEmptySubsequences: false)
    var lines = halves[0].split(separator: "\n")[...]
    let first = lines.removeFirst()
    let start = try #require(first.firstIndex(of: " "))
    let end = try #require(first.lastIndex(of: " "))
    let target = first[first.index(after: start)..<end]
      .split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    var fields: [(name: String, value: String)] = []
    for line in lines {
      if line.first == " " {
        fields[fields.count - 1].value += "\n" + line
      } else {
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        fields.append((String(parts[0]), String(parts[1])))
      }
    }
    var headers = HTTPHeaders()
    for field in fields { headers.add(field.name, field.value) }
    return HTTPRequest(
      try #require(HTTPRequest.Method(rawValue: String(first[..<start]))),
      Endpoint(host: "example.amazonaws.com"), path: String(target[0]),
      query: target.count > 1 ? String(target[1]) : "", headers: headers,
      body: halves.count > 1 ? Array(halves[1].utf8) : [])
  }
}
