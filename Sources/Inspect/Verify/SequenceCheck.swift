import Base
import Ticks
import WAL

/// The exchange's own ids over a whole log, as a set: which of them are missing, and whether a gap says so.
///
/// In memory are the streams and what is missing of each, however many ticks there are.
struct SequenceCheck {
  /// Ids that are not there, between two that are.
  struct Hole: Equatable {
    /// The last id before.
    var after: Int64
    /// The first one that is there again.
    var before: Int64
    /// Microseconds UTC: when the ticks on both sides were received.
    var afterAt: Int64
    var beforeAt: Int64

    var startedAt: Int64 { min(afterAt, beforeAt) }
    var endedAt: Int64 { max(afterAt, beforeAt, startedAt.addingSaturated(1)) }
  }

  fileprivate struct Stream {
    /// The highest id, and its event's times in microseconds and milliseconds UTC.
    var last: Int64
    var receivedAt: Int64
    var eventTime: Int64?
    /// In the order of their ids.
    var holes: [Hole] = []
    /// Of counts that the exchange has begun anew since.
    var earlier: [Hole] = []
  }

  /// An event so much later with lower ids is of a new count; in ms.
  private static let laterByFar: Int64 = 1_000

  private var streams: [[UInt8]: Stream] = [:]

  var streamCount: Int { streams.count }
  var isEmpty: Bool { streams.values.allSatisfy { $0.holes.isEmpty && $0.earlier.isEmpty } }

  /// Takes in a tick, in the log's order, which need not be that of its ids.
  ///
  /// - Parameters:
  ///   - receivedAt: microseconds UTC.
  ///   - eventTime: milliseconds UTC.
  mutating func add(_ ids: IDStep, stream name: UnsafeRawBufferPointer, receivedAt: Int64, eventTime: Int64?)
  {
    let key = Array(name)
    guard var stream = streams.removeValue(forKey: key) else {
      streams[key] = Stream(last: ids.last, receivedAt: receivedAt, eventTime: eventTime)
      return
    }
    defer { streams[key] = stream }
    if ids.last < stream.last, let eventTime, let before = stream.eventTime,
      eventTime >= before.addingSaturated(Self.laterByFar)
    {
      let earlier = stream.earlier + stream.holes
      stream = Stream(last: ids.last, receivedAt: receivedAt, eventTime: eventTime, earlier: earlier)
      return
    }
    if ids.after > stream.last {
      stream.holes.append(
        Hole(after: stream.last, before: ids.after + 1, afterAt: stream.receivedAt, beforeAt: receivedAt))
    } else {
      stream.fill(ids, receivedAt: receivedAt)
    }
    guard ids.last > stream.last else { return }
    (stream.last, stream.receivedAt, stream.eventTime) = (ids.last, receivedAt, eventTime)
  }

  /// Takes away what a gap speaks of.
  mutating func cover(_ gap: Gap) {
    func speaks(of hole: Hole) -> Bool {
      gap.startedAt < hole.endedAt && (gap.endedAt ?? .max) > hole.startedAt
    }
    for name in gap.streams {
      let key = Array(name.utf8)
      streams[key]?.holes.removeAll(where: speaks)
      streams[key]?.earlier.removeAll(where: speaks)
    }
  }

  /// What is left, by stream and id.
  var findings: SequenceFindings {
    var findings = SequenceFindings(streams: streams.count)
    for (key, stream) in streams.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
      for hole in stream.earlier + stream.holes {
        findings.add(
          SequenceFindings.Skip(
            stream: String(decoding: key, as: UTF8.self), after: hole.after, before: hole.before,
            startedAt: hole.startedAt, endedAt: hole.endedAt))
      }
    }
    return findings
  }
}

extension SequenceCheck.Stream {
  /// Takes the ids of a tick that comes late out of the holes.
  fileprivate mutating func fill(_ ids: IDStep, receivedAt: Int64) {
    // The first hole that ends above the beginning of the tick's ids.
    var low = 0
    var high = holes.count
    while low < high {
      let middle = (low + high) / 2
      if holes[middle].before - 1 <= ids.after { low = middle + 1 } else { high = middle }
    }
    while low < holes.count, holes[low].after < ids.last {
      let hole = holes[low]
      var parts: [SequenceCheck.Hole] = []
      if ids.after > hole.after {
        parts.append(
          SequenceCheck.Hole(
            after: hole.after, before: ids.after + 1, afterAt: hole.afterAt, beforeAt: receivedAt))
      }
      if ids.last < hole.before - 1 {
        parts.append(
          SequenceCheck.Hole(
            after: ids.last, before: hole.before, afterAt: receivedAt, beforeAt: hole.beforeAt))
      }
      holes.replaceSubrange(low...low, with: parts)
      low += parts.count
    }
  }
}

/// The exchange's ids that a log lacks and that no gap speaks of: no damage of the log, but of what it was given.
package struct SequenceFindings: Sendable, Equatable {
  package struct Skip: Sendable, Equatable {
    package let stream: String
    /// The ids beside those that are missing.
    package let after: Int64
    package let before: Int64
    /// Microseconds since 1970, UTC: when the ticks beside them were received, the first and the second.
    package let startedAt: Int64
    package let endedAt: Int64

    package init(stream: String, after: Int64, before: Int64, startedAt: Int64, endedAt: Int64) {
      self.stream = stream
      self.after = after
      self.before = before
      self.startedAt = startedAt
      self.endedAt = endedAt
    }
  }

  package static let kept = 100

  /// Streams whose events have ids.
  package private(set) var streams = 0
  package private(set) var count = 0
  /// The first of them.
  package private(set) var first: [Skip] = []

  package init(streams: Int = 0) { self.streams = streams }

  package mutating func add(_ skip: Skip) {
    count += 1
    if first.count < Self.kept { first.append(skip) }
  }
}
