import Base
import Shippers

/// The findings of `fleet`, as text and as JSON. Pure.
struct FleetReport: Sendable {
  let place: String
  let fleet: Fleet
  let question: FleetQuestion
  /// Microseconds since 1970, UTC.
  private let window: ClosedRange<Int64>
  private let problems: [Fleet.Problem]
  private let missing: [Fleet.Stretch]

  /// The most stretches that are listed for people.
  private static let mostLines = 100

  init(place: String, fleet: Fleet, question: FleetQuestion) {
    self.place = place
    self.fleet = fleet
    self.question = question
    window = question.window(waiting: fleet.longestWait)
    problems = fleet.problems + fleet.doubts(in: window, isWhole: question.isWhole)
    missing = fleet.missing(in: window, isWhole: question.isWhole)
  }

  var isWell: Bool { problems.isEmpty && missing.isEmpty }

  /// For the last line, where something is wrong.
  var summary: String {
    var parts: [String] = []
    if !problems.isEmpty { parts.append(Figures.counted(problems.count, "problem")) }
    if !missing.isEmpty {
      parts.append(
        "\(Figures.counted(missing.count, "stretch").replacing("stretchs", with: "stretches")) in no log")
    }
    return "\(parts.joined(separator: ", ")) of \(place)"
  }

  // MARK: Text

  var lines: [String] {
    guard !fleet.logs.isEmpty else {
      return ["no log ships to \(place)"] + fleet.unreadable.map { Text.oneLine($0, limit: 1_200) }
    }
    let shown = fleet.logs.filter(fleet.isPresent)
    let older = fleet.logs.count - shown.count
    var lines = [
      "\(Figures.counted(fleet.logs.count, "log")) in \(place)\(older > 0 ? ", \(Figures.grouped(older)) of them put away" : "")"
    ]
    lines.append("")
    lines += table(shown).lines()
    lines.append("")
    if !problems.isEmpty {
      lines += ["not well:"] + problems.map { "  " + ($0.logID.map { "\($0): " } ?? "") + $0.what } + [""]
    }
    return lines + missingLines
  }

  private func table(_ logs: [FleetLog]) -> TextTable {
    TextTable(
      .init("log"), .init("shard"), .init("host"), .init("version"), .init("state"),
      .init("last word", .right),
      .init("streams", .right), .init("head", .right), .init("behind"), .init("open gaps", .right),
      rows: logs.map { log in
        let report = log.report
        return [
          log.logID, report?.shard ?? (report == nil ? "?" : "all"), report?.host ?? "?",
          report?.version ?? "?",
          fleet.state(log).rawValue, "\(ago(log.writtenAt)) ago",
          report?.streams.map { Figures.grouped($0.count) } ?? "?",
          report.map { Figures.grouped($0.head) } ?? "?", behind(report),
          report.map { Figures.grouped($0.openGaps.count) } ?? "?",
        ]
      })
  }

  private func behind(_ report: LogReport?) -> String {
    guard let report else { return "?" }
    return report.consumers.sorted { $0.key < $1.key }.map { name, consumer in
      let age = consumer.lag > 0 ? " (\(Figures.duration(Fleet.seconds(consumer.ageSeconds))))" : ""
      return "\(name) \(Figures.grouped(consumer.lag))\(age)"
    }.joined(separator: ", ")
  }

  private func ago(_ time: NoteTime) -> String {
    Figures.duration(.microseconds(max(0, fleet.now.subtractingSaturated(time.microseconds))))
  }

  private var windowText: String {
    "\(Self.time(window.lowerBound)) to \(Self.time(window.upperBound)) UTC"
  }

  private static func time(_ microseconds: Int64) -> String {
    String(UTCTime.readable(microseconds: microseconds).dropLast(4))
  }

  /// With milliseconds: many are short.
  private static func exact(_ microseconds: Int64) -> String {
    UTCTime.text(microseconds).replacing("T", with: " ").replacing("Z", with: "")
  }

  private var missingLines: [String] {
    guard !missing.isEmpty else {
      let doubt = fleet.isAllKnown ? "" : " as far as it can be read"
      return ["nothing is missing in all logs of a stream\(doubt), \(windowText)"]
    }
    var lines = ["in no log, \(windowText):"]
    lines += TextTable(
      .init(""), .init("", .right), .init(""),
      rows: missing.prefix(Self.mostLines).map { stretch in
        [
          "  \(Self.exact(stretch.time.lowerBound)) to \(Self.exact(stretch.time.upperBound))",
          Figures.duration(.microseconds(stretch.time.upperBound - stretch.time.lowerBound)),
          Self.streams(stretch),
        ]
      }
    ).lines()
    if missing.count > Self.mostLines {
      lines.append("  and \(Figures.grouped(missing.count - Self.mostLines)) more; --json has all")
    }
    return lines
  }

  private static func streams(_ stretch: Fleet.Stretch) -> String {
    let names = stretch.streams.prefix(3).joined(separator: ", ")
    let more = stretch.streams.count > 3 ? ", …" : ""
    let ids = stretch.ids.map { ", some of the ids \($0.lowerBound) to \($0.upperBound)" } ?? ""
    return "\(Figures.counted(stretch.streams.count, "stream")): \(names)\(more)\(ids)"
  }

  // MARK: JSON

  var document: JSONDocument {
    .object([
      "place": .string(place), "healthy": .bool(isWell),
      "logs": .array(fleet.logs.map(document)),
      "problems": .array(
        problems.map {
          .object(["log_id": $0.logID.map { .string($0) } ?? .null, "what": .string($0.what)])
        }),
      "from": .string(UTCTime.text(window.lowerBound)),
      "to": .string(UTCTime.text(window.upperBound)),
      "missing": .array(missing.map(document)),
    ])
  }

  private func document(_ log: FleetLog) -> JSONDocument {
    let report = log.report
    func time(_ time: NoteTime?) -> JSONDocument {
      time.map { .string(UTCTime.text($0.microseconds)) } ?? .null
    }
    return .object([
      "log_id": .string(log.logID), "state": .string(fleet.state(log).rawValue),
      "written_at": time(log.writtenAt), "shard": report?.shard.map { .string($0) } ?? .null,
      "host": report.map { .string($0.host) } ?? .null,
      "version": report.map { .string($0.version) } ?? .null,
      "streams": report?.streams.map { .integer($0.count) } ?? .null,
      "head": report.map { .integer(Int($0.head)) } ?? .null,
      "first_tick": time(report?.firstTick), "last_tick": time(report?.lastTick),
      "covered_until": time(report?.coveredUntil),
      "passed_over": .integer(report?.passedOver?.ticks ?? 0),
      "open_gaps": report.map { .integer($0.openGaps.count) } ?? .null,
      "consumers": .array(
        (report?.consumers ?? [:]).sorted { $0.key < $1.key }.map { name, consumer in
          .object([
            "consumer": .string(name), "lag": .integer(consumer.lag),
            "age_seconds": .number(consumer.ageSeconds), "held": consumer.held.map { .string($0) } ?? .null,
          ])
        }),
    ])
  }

  private func document(_ stretch: Fleet.Stretch) -> JSONDocument {
    .object([
      "from": .string(Timestamp.rfc3339(microseconds: stretch.time.lowerBound)),
      "to": .string(Timestamp.rfc3339(microseconds: stretch.time.upperBound)),
      "seconds": .number(Double(stretch.time.upperBound - stretch.time.lowerBound) / 1_000_000),
      "ids": stretch.ids.map {
        .array([.integer(Int($0.lowerBound)), .integer(Int($0.upperBound))])
      } ?? .null,
      "streams": .array(stretch.streams.map { .string($0) }),
    ])
  }
}
