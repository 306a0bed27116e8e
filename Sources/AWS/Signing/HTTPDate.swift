/// Dates as HTTP writes them.
enum HTTPDate {
  /// Reads `Sun, 06 Nov 1994 08:49:37 GMT`; nil for anything else.
  ///
  /// Reference: RFC 9110 §5.6.7, IMF-fixdate.
  static func epochSeconds(_ text: some Collection<UInt8>) -> Int? {
    nil
  }
}
