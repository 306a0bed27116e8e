/// Why a file could not be imported to its end. What came before is in the log.
package struct ImportError: Error, Sendable, CustomStringConvertible {
  package enum Code: Sendable, Equatable {
    /// It cannot be opened or read.
    case unreadable
    /// A gzip stream that is damaged or ends early.
    case badGzip
    /// Its beginning has no tick.
    case noTicks
    /// It was imported to its end before.
    case alreadyImported
  }

  package let code: Code
  package let description: String

  init(_ code: Code, _ description: String) {
    self.code = code
    self.description = description
  }
}
