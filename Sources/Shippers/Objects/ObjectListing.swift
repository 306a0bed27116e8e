/// A walk over keys.
package protocol ObjectListing: Sendable {
  /// A page of keys, perhaps empty; `nil` at the end. After a failure the same page can be asked for again.
  func next() async throws -> [String]?
}
