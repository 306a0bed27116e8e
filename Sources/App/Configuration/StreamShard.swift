import Base

/// The share of the streams that one of several processes reads: rendezvous hashing gives each stream to one shard, and
/// one shard more moves only the streams that it gets.
///
/// A stream belongs to the shard `k` of `1...n` whose SHA-256 over the UTF-8 of `<stream>/<k>`, the stream as it is listed
/// and the number in decimal, is the greatest, byte for byte. Test vectors are in docs/scale.md.
///
/// Reference: Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998.
struct StreamShard: Sendable, Equatable, CustomStringConvertible {
  /// The most shards. Each costs a hash for each stream.
  static let limit = 1_000

  /// From 1 on.
  let number: Int
  /// The number of shards.
  let count: Int

  /// As it is configured: `2/5`.
  var description: String { "\(number)/\(count)" }

  /// The streams of a list that belong to it, in their order.
  func share(of streams: [String]) -> [String] {
    if count == 1 { return streams }
    var hash = SHA256()
    return streams.filter { owns($0, &hash) }
  }

  private func owns(_ stream: String, _ hash: inout SHA256) -> Bool {
    let own = Self.weight(of: stream, number, &hash)
    for other in 1...count where other != number {
      if own.isLess(than: Self.weight(of: stream, other, &hash)) { return false }
    }
    return true
  }

  private static func weight(of stream: String, _ shard: Int, _ hash: inout SHA256) -> Digest {
    hash.update(Array("\(stream)/\(shard)".utf8))
    return hash.finish()
  }
}

extension Digest {
  /// As unsigned bytes, the first one first.
  fileprivate func isLess(than other: Digest) -> Bool {
    for index in bytes.indices where bytes[index] != other.bytes[index] {
      return bytes[index] < other.bytes[index]
    }
    return false
  }
}

extension Rule where Value == StreamShard {
  /// `2/5`: a number and how many there are.
  static var shard: Rule {
    Rule(
      allowed: "a shard and the number of shards, such as 2/5: from 1/1 to "
        + "\(StreamShard.limit)/\(StreamShard.limit)",
      placeholder: "k/n",
      parse: { text throws(BadText) in
        let parts = Text.trimmed(text).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let number = DecimalDigits.parse(parts[0], upTo: StreamShard.limit),
          let count = DecimalDigits.parse(parts[1], upTo: StreamShard.limit), count >= 1
        else { throw BadText() }
        guard 1...count ~= number else { throw BadText("there is no shard \(number) of \(count)") }
        return StreamShard(number: number, count: count)
      })
  }
}

extension FeedSettings {
  /// The streams of a list that this process reads.
  ///
  /// - Throws: `CommandFailure` (78) if there is none.
  func share(of names: [String]) throws -> [String] {
    guard let shard else { return names }
    let share = shard.share(of: names)
    guard !share.isEmpty else {
      throw CommandFailure(
        .badValue,
        "STREAM_SHARD is '\(shard)' but none of the \(Figures.counted(names.count, "stream")) falls to this shard: there "
          + "must be fewer shards, or more streams")
    }
    return share
  }
}
