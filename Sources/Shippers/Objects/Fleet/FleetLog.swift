import Base
import FoundationEssentials

/// A gap as its object tells of it.
package struct ToldGap: Sendable, Equatable {
  /// Microseconds since 1970, UTC; `to` is `nil` while it is open.
  let from: Int64
  let to: Int64?
  let streams: [String]
  /// Of a gap of cause `sequence`; `nil` if there are none to be read.
  let ids: ClosedRange<Int64>?

  init(from: Int64, to: Int64?, streams: [String], ids: ClosedRange<Int64>? = nil) {
    (self.from, self.to, self.streams, self.ids) = (from, to, streams, ids)
  }

  private struct Document: Decodable {
    struct Detail: Decodable {
      let after: Int64?
      let before: Int64?
    }

    let startedAt: String
    let endedAt: String?
    let cause: String
    let streams: [String]
    let detail: Detail?

    enum CodingKeys: String, CodingKey {
      case cause, streams, detail
      case startedAt = "started_at"
      case endedAt = "ended_at"
    }

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: CodingKeys.self)
      startedAt = try container.decode(String.self, forKey: .startedAt)
      endedAt = try container.decodeIfPresent(String.self, forKey: .endedAt)
      cause = try container.decode(String.self, forKey: .cause)
      streams = try container.decode([String].self, forKey: .streams)
      // That of other causes may be anything.
      detail = try? container.decodeIfPresent(Detail.self, forKey: .detail)
    }
  }

  /// - Throws: for anything but the object of a gap.
  init(json: [UInt8]) throws {
    struct NoTime: Error {}
    let document = try JSONDecoder().decode(Document.self, from: Data(json))
    guard let from = Timestamp.microseconds(document.startedAt) else { throw NoTime() }
    let to = try document.endedAt.map { text in
      guard let time = Timestamp.microseconds(text) else { throw NoTime() }
      return max(from, time)
    }
    var ids: ClosedRange<Int64>?
    if document.cause == "sequence", let after = document.detail?.after, let before = document.detail?.before,
      after < before, after < before - 1
    {
      ids = (after + 1)...(before - 1)
    }
    self.init(from: from, to: to, streams: document.streams, ids: ids)
  }
}

/// A log as the place that it ships to tells of it.
package struct FleetLog: Sendable {
  package let logID: String
  package let writtenAt: NoteTime
  /// `nil` if an earlier version of the program wrote the note.
  package let report: LogReport?
  /// `nil` likewise, or where no feed ever ran.
  package let streams: ListedStreams?
  /// Those that began before the end of what is looked at.
  let gaps: [ToldGap]

  /// The stretches that it lacks within a time, to be asked stream by stream: those of all streams at once can be
  /// millions.
  ///
  /// It has a stream from its first tick to the newest one that lies in the place, while the stream is in the list, and
  /// not in gaps.
  func missing(in window: ClosedRange<Int64>) -> (_ stream: String) -> Missing? {
    let alike = gapsOfTheSameStreams(in: window)
    var ofStream: [String: [Int]] = [:]
    for (index, streams) in alike.keys.enumerated() {
      for stream in Set(streams) { ofStream[stream, default: []].append(index) }
    }
    let parts = Array(alike.values)
    let entries = Dictionary(grouping: streams?.streams ?? [], by: \.name)
    return { stream in
      guard let entries = entries[stream] else { return nil }
      let own = (ofStream[stream] ?? []).map { parts[$0] }
      return Missing(
        times: own.flatMap(\.times) + absence(entries, in: window), skips: own.flatMap(\.skips))
    }
  }

  private func gapsOfTheSameStreams(in window: ClosedRange<Int64>) -> [[String]: Missing] {
    Dictionary(
      grouping: gaps.filter { $0.from <= window.upperBound && ($0.to ?? .max) >= window.lowerBound },
      by: \.streams
    )
    .mapValues { gaps in
      var (times, skips) = ([ClosedRange<Int64>](), [Missing.Skip]())
      for gap in gaps {
        let time = max(gap.from, window.lowerBound)...min(gap.to ?? .max, window.upperBound)
        if let ids = gap.ids { skips.append(Missing.Skip(time: time, ids: ids)) } else { times.append(time) }
      }
      return Missing(times: times, skips: skips)
    }
  }

  /// The parts of a time in which a stream is not in the list, or nothing of the log lies in the place.
  private func absence(_ entries: [ListedStreams.Entry], in window: ClosedRange<Int64>) -> [ClosedRange<
    Int64
  >] {
    guard let covered = report?.coveredUntil?.microseconds else { return [window] }
    let first = report?.firstTick?.microseconds ?? .min
    var (absent, next) = ([ClosedRange<Int64>](), window.lowerBound)
    for entry in entries.sorted(by: { $0.from < $1.from }) {
      // The exchange may not have granted it before.
      guard let own = entry.firstTick else { continue }
      let from = max(own.microseconds, first)
      let to = min(entry.to?.microseconds ?? .max, covered)
      guard from <= to, to >= next, from <= window.upperBound else { continue }
      if from > next { absent.append(next...from) }
      next = to
    }
    if next < window.upperBound { absent.append(next...window.upperBound) }
    return absent
  }
}
