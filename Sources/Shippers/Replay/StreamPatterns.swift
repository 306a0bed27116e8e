import Glibc

/// Names of streams with wildcards, as a shell has them for files; every name is wanted where there is none.
///
/// Reference: fnmatch(3).
package struct StreamPatterns: Sendable, Equatable {
  private let patterns: [String]

  /// - Parameter patterns: such as `btcusdt@*`, `*@trade`, `[be]t?usdt@miniTicker`.
  package init(_ patterns: [String]) {
    self.patterns = patterns
  }

  /// Whether one of them fits a name, upper and lower case apart.
  package func match(_ name: some Sequence<UInt8>) -> Bool {
    if patterns.isEmpty { return true }
    let name = name.map { CChar(bitPattern: $0) } + [0]
    return patterns.contains { fnmatch($0, name, 0) == 0 }
  }
}
