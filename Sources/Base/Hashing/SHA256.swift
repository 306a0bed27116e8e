import COpenSSL

/// SHA-256 over OpenSSL, for one message after the other.
///
/// Reference: FIPS 180-4; https://docs.openssl.org/3.0/man3/EVP_DigestInit/
package struct SHA256: ~Copyable {
  // An implicit fetch in each EVP_DigestInit takes longer than hashing a request, so the algorithm is fetched once.
  // Safe because a fetched EVP_MD never changes and OpenSSL lets threads share it.
  // Breaks if anything frees it: it lives as long as the process.
  nonisolated(unsafe) private static let algorithm: OpaquePointer = {
    guard let algorithm = EVP_MD_fetch(nil, "SHA256", nil) else {
      preconditionFailure("OpenSSL offers no SHA-256: its default provider is not configured")
    }
    return algorithm
  }()

  private let context: OpaquePointer

  package init() {
    guard let context = EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
    self.context = context
    start()
  }

  deinit {
    EVP_MD_CTX_free(context)
  }

  package mutating func update(_ bytes: UnsafeRawBufferPointer) {
    let done = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    precondition(done == 1, "EVP_DigestUpdate failed")
  }

  package mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// The digest of all that was given since the last call; the next message starts after it.
  package mutating func finish() -> Digest {
    var bytes = InlineArray<32, UInt8>(repeating: 0)
    let done = withUnsafeMutableBytes(of: &bytes) {
      EVP_DigestFinal_ex(context, $0.bindMemory(to: UInt8.self).baseAddress, nil)
    }
    precondition(done == 1, "EVP_DigestFinal_ex failed")
    start()
    return Digest(bytes: bytes)
  }

  package static func hash(_ bytes: [UInt8]) -> Digest {
    var hash = SHA256()
    hash.update(bytes)
    return hash.finish()
  }

  private func start() {
    let done = EVP_DigestInit_ex2(context, Self.algorithm, nil)
    precondition(done == 1, "EVP_DigestInit_ex2 failed")
  }
}

// Safe because its context has one owner. Breaks if the context is handed out.
extension SHA256: @unchecked Sendable {}
