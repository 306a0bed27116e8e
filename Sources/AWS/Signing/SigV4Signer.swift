import Base

/// Signs requests with AWS Signature Version 4, in the `Authorization` header.
///
/// Pure: the same request, credentials and time give the same signature. All headers present when it is called
/// are signed; what must stay unsigned is added afterwards.
///
/// Reference: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
struct SigV4Signer: Sendable {
  var path = CanonicalRequest.Path.normalized
  /// Adds `x-amz-content-sha256`, which S3 demands.
  var sendsPayloadHash = false
  /// Adds the session token after signing, unsigned, as some old services want it.
  var leavesTokenUnsigned = false

  /// For S3: paths as they are sent, the payload's hash in a header of its own.
  static let s3 = SigV4Signer(path: .asSent, sendsPayloadHash: true)

  /// Adds date, token and `Authorization` to the headers. `key` gets the day, as `20150830`.
  func sign(
    _ request: inout HTTPRequest, credentials: Credentials, epochSeconds: Int,
    key: (ArraySlice<UInt8>) -> SigningKey
  ) {
    var hash = SHA256()
    let payload: Digest
    if let known = request.bodyDigest {
      payload = known
    } else {
      hash.update(request.body)
      payload = hash.finish()
    }

    var date: [UInt8] = []
    date.reserveCapacity(16)
    CivilTime(epochSeconds: epochSeconds).appendBasic(to: &date)
    request.headers.add("x-amz-date".utf8, date)
    if let token = credentials.sessionToken, !leavesTokenUnsigned {
      request.headers.add("x-amz-security-token", token)
    }
    if sendsPayloadHash {
      var hex: [UInt8] = []
      hex.reserveCapacity(64)
      payload.appendHex(to: &hex)
      request.headers.add("x-amz-content-sha256".utf8, hex)
    }

    let canonical = CanonicalRequest(
      method: request.method, path: request.endpoint.basePath + request.path, pathStyle: path,
      query: request.query, headers: request.headers, payload: payload)
    hash.update(canonical.bytes)
    let canonicalDigest = hash.finish()
    let signingKey = key(date[..<8])
    let text = Self.stringToSign(date: date, scope: signingKey.scope, canonicalDigest)
    let signature = signingKey.key.authenticate(text, &hash)

    var authorization: [UInt8] = []
    authorization.reserveCapacity(384)
    authorization.append(contentsOf: "AWS4-HMAC-SHA256 Credential=".utf8)
    authorization.append(contentsOf: credentials.accessKeyID.utf8)
    authorization.append(UInt8(ascii: "/"))
    authorization.append(contentsOf: signingKey.scope)
    authorization.append(contentsOf: ", SignedHeaders=".utf8)
    authorization.append(contentsOf: canonical.bytes[canonical.signedHeaders])
    authorization.append(contentsOf: ", Signature=".utf8)
    signature.appendHex(to: &authorization)
    request.headers.add("Authorization".utf8, authorization)
    if let token = credentials.sessionToken, leavesTokenUnsigned {
      request.headers.add("x-amz-security-token", token)
    }
  }

  static func stringToSign(date: [UInt8], scope: [UInt8], _ canonical: Digest) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(192)
    text.append(contentsOf: "AWS4-HMAC-SHA256\n".utf8)
    text.append(contentsOf: date)
    text.append(UInt8(ascii: "\n"))
    text.append(contentsOf: scope)
    text.append(UInt8(ascii: "\n"))
    canonical.appendHex(to: &text)
    return text
  }
}
