/// The kind of a stream, by what its ids can prove. The names are those that `status` and the log give them.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
enum StreamKind: String, CaseIterable, Sendable {
  /// Diff depth, at any speed.
  case depth
  case aggTrade
  /// Spot's have ids that follow one another, futures' have not.
  case trade
  /// Their events have no such ids.
  case others

  /// - Parameter name: UTF-8.
  init(_ name: some Collection<UInt8>) {
    guard let at = name.firstIndex(of: UInt8(ascii: "@")) else {
      self = .others
      return
    }
    let suffix = name[at...].dropFirst()
    if suffix.elementsEqual("aggTrade".utf8) {
      self = .aggTrade
    } else if suffix.elementsEqual("trade".utf8) {
      self = .trade
    } else {
      self = Self.isDiffDepth(suffix: suffix) ? .depth : .others
    }
  }

  /// Not `depth5`, `depth10` or `depth20`: those send parts of the book as it is, and leave updates out.
  static func isDiffDepth(_ name: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let at = name.firstIndex(of: UInt8(ascii: "@")) else { return false }
    return isDiffDepth(suffix: name[at...].dropFirst())
  }

  private static func isDiffDepth(suffix: some Collection<UInt8>) -> Bool {
    suffix.starts(with: "depth".utf8)
      && suffix.dropFirst(5).first.map { $0 == UInt8(ascii: "@") } != false
  }
}
