import Base

extension LogReader {
  /// The list of streams that a feed subscribed to last, and since when it is as it is, in microseconds since 1970,
  /// UTC; `nil` if no feed ever ran.
  package func streamList() throws -> (names: [String], since: Int64)? {
    try read { connection in
      guard let names = try connection.metaList(.streams) else { return nil }
      return (names, try connection.meta(.feedStreamSince) ?? WallClock.now())
    }
  }
}
