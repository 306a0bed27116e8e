import WAL

/// A memory of the gaps that a slot has written, for the question whether one of them speaks of a stream at a time:
/// the open ones, and of those that have ended the newest.
struct NamedGaps: Sendable {
  private struct Named {
    var gaps: OpenGaps
    var startedAt: Int64
    var endedAt: Int64?
    var streams: [String]
  }

  /// Of one that has fallen out, a stream may get a gap too many.
  private static let keptEnded = 256

  private var open: [Named] = []
  private var ended: [Named] = []
  private var endsAt: Int64?

  mutating func note(_ changes: [GapChange]) {
    for change in changes {
      switch change {
      case .open(let startedAt, _, let streams, _, let gaps):
        open.append(Named(gaps: gaps, startedAt: startedAt, endedAt: nil, streams: streams))
      case .close(let endedAt, let gaps):
        guard let place = open.firstIndex(where: { $0.gaps === gaps }) else { continue }
        var named = open.remove(at: place)
        named.endedAt = max(endedAt, named.startedAt)
        if ended.count == Self.keptEnded { ended.removeFirst() }
        ended.append(named)
      case .add, .extend, .watermark, .completeness: break
      }
    }
  }

  /// Notes that the end of the run leaves a gap of all streams, from a time on in microseconds UTC.
  mutating func noteEnd(from time: Int64) { endsAt = time }

  /// True if a gap names the stream and was open at a moment between two times, in microseconds UTC.
  func cover(_ stream: String, from: Int64, to: Int64) -> Bool {
    func covers(_ gap: Named) -> Bool {
      gap.startedAt < to && (gap.endedAt ?? .max) > from && gap.streams.contains(stream)
    }
    if let endsAt, endsAt < to { return true }
    return open.contains(where: covers) || ended.contains(where: covers)
  }
}
