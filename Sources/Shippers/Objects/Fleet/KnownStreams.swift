import Base
import Synchronization

/// The cause and the streams that the last gap of each log named: most gaps are of all its streams, so that of a
/// thousand gaps the same thousand names are understood, and kept, once.
final class KnownStreams: Sendable {
  /// The end of an object, behind the times, and a gap that has it.
  private struct Tail {
    let text: [UInt8]
    let gap: ToldGap
  }

  private let tails = Mutex<[String: Tail]>([:])

  private static let mark = Array(#""cause":"#.utf8)
  private static let end = Array(#""ended_at":"#.utf8)
  private static let nothing = Array(#""cause":"","streams":[]}"#.utf8)

  init() {}

  /// - Throws: for anything but the object of a gap.
  func gap(json body: [UInt8], of logID: String) throws -> ToldGap {
    // Quotes within a text have a backslash before them, so this is the key.
    guard let start = body.firstRange(of: Self.mark)?.lowerBound,
      body[..<start].firstRange(of: Self.end) != nil
    else { return try ToldGap(json: body) }
    let text = body[start...]
    if let tail = tails.withLock({ $0[logID] }), tail.text.elementsEqual(text),
      let gap = try? ToldGap(json: body[..<start] + Self.nothing)
    {
      return ToldGap(from: gap.from, to: gap.to, streams: tail.gap.streams, ids: tail.gap.ids)
    }
    let gap = try ToldGap(json: body)
    tails.withLock { $0[logID] = Tail(text: Array(text), gap: gap) }
    return gap
  }
}
