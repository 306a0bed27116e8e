extension LogReader {
  /// The next gaps in the order in which they were found, open ones too.
  ///
  /// - Parameters:
  ///   - count: the most to return.
  ///   - bytes: of the names of streams, after which no more are read; at least one gap is, if there is one.
  package func gaps(from id: Gap.ID, atMost count: Int, bytes: Int = 1 << 20) throws -> [Gap] {
    try read { try $0.gaps(from: id, atMost: count, bytes: bytes) }
  }

  /// Those of the gaps that are open no more: ended, or not kept any longer.
  package func notOpen(of ids: [Gap.ID]) throws -> [Gap.ID] {
    try read { try $0.notOpen(of: ids) }
  }

  /// The longest that an ended gap took, and the beginning of the oldest open one, of the gaps that are kept;
  /// microseconds. `first` is the oldest kept; `nil` without gaps.
  package func gapBounds() throws -> (longest: Int64, oldestOpen: Int64?, first: Gap.ID?) {
    try read { try $0.gapBounds() }
  }

  /// The gap that was found last; `nil` in a log without gaps.
  package func newestGap() throws -> Gap.ID? {
    try read { try $0.newestGap() }
  }
}
