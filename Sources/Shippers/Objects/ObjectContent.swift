import Base

/// The text in an object, by its hash.
struct ObjectContent: Sendable, Equatable {
  /// Of the uncompressed text, lower-case hex; `nil` for a gzip stream that cannot be read to its end.
  let sha256: String?

  /// - Parameter body: as it is stored, or unpacked: some stores hand out the text of what carries
  ///   `Content-Encoding: gzip`. No text of ours begins like a gzip stream.
  init(_ body: [UInt8], key: String) {
    let isPacked = key.hasSuffix(ObjectKey.gzipSuffix) && (body.isEmpty || body.starts(with: [0x1F, 0x8B]))
    sha256 = isPacked ? Self.textHash(gzip: body) : SHA256.hash(body).hex
  }

  /// The hash of what a gzip stream holds, without holding it.
  ///
  /// - Returns: `nil` for what is not one whole gzip stream.
  private static func textHash(gzip body: [UInt8]) -> String? {
    var inflate = Inflate(joinsStreams: false)
    var hash = SHA256()
    var text: [UInt8] = []
    var rest = body[...]
    while !rest.isEmpty {
      guard inflate.add(rest.prefix(16 << 10), to: &text) else { return nil }
      hash.update(text)
      text.removeAll(keepingCapacity: true)
      rest = rest.dropFirst(16 << 10)
    }
    return inflate.isAtEnd ? hash.finish().hex : nil
  }
}
