/// The limit for names of streams. The exchange's have a few dozen bytes; each is kept for as long as its connection
/// lasts, and an item's key has 2,048 bytes at most.
///
/// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html, partition key
enum StreamNameLimit {
  static let bytes = 2_048

  /// Why this is no stream's name; nil if it is one.
  static func objection(to name: some Collection<UInt8>) -> String? {
    if name.count > bytes { return "the stream's name has more than 2,048 bytes" }
    // Only an escape can bring in a control character, and SQLite's shell would end the name at a NUL.
    if name.isEmpty || name.contains(where: { $0 < 0x20 }) {
      return "the stream's name is empty or has control characters"
    }
    return nil
  }
}
