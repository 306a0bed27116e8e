import Base
import WAL

/// A log's status as text for people and as a document for programs. Pure.
struct StatusReport {
  let status: LogStatus
  let path: String
  let feed: FeedReport
  let health: HealthReport
  /// The status a second before, for rates.
  var last: LogStatus?
  /// The file system of the log; nil where nobody has looked.
  var volume: Volume?

  init(_ status: LogStatus, path: String, feed: FeedView, since last: LogStatus? = nil) {
    self.status = status
    self.feed = FeedReport(view: feed, status: status)
    self.path = path
    health = HealthReport(status: status, view: feed)
    self.last = last
  }

  // MARK: For people

  func lines(width: Int?) -> [String] {
    let facts = TextTable(.init(""), .init(""), rows: facts).lines(width: width)
    let consumers =
      status.consumers.isEmpty ? ["no consumer was ever enabled"] : consumerTable.lines(width: width)
    let verdict = health.lines.flatMap { wrapped($0, width) }
    let held = holdLines.flatMap { wrapped($0, width) }
    return verdict + [""] + facts + [""] + consumers + destinationLines(width: width) + held
      + gapLines(width: width)
  }

  private func wrapped(_ line: String, _ width: Int?) -> [String] {
    width.map { DisplayWidth.wrapped(line, to: $0, indent: 4) } ?? [line]
  }

  private var facts: [[String]] {
    var rows = [
      ["log", "\(path) (\(status.logID))"],
      ["written by", status.writerPID.map { "process \($0)" } ?? "nobody now"],
    ]
    if let lost = feed.logLost {
      rows.append(["", "whose log this is not: \(lost); it saves and ships what it has, and ends"])
    }
    rows += [
      ["ticks", ticks],
      ["last tick", status.lastReceivedAt.map { UTCTime.readable(microseconds: $0) } ?? "never"],
    ]
    rows += feed.rows
    rows += rateRows
    rows.append(["size", size])
    if volume != nil { rows.append(["disk", disk]) }
    if let deadLetters { rows.append(["dead letters", deadLetters]) }
    rows.append(["gaps", gaps])
    rows += provenRows
    return rows
  }

  /// As the process that has the log open tells them.
  private var rateRows: [[String]] {
    var rows: [[String]] = []
    if let rates = feed.ofProcess?.rates {
      let out = rates.shipped.sorted { $0.key < $1.key }.map {
        "\($0.key) \(Self.rate($0.value))\(catchingUp($0.key, out: $0.value, in: rates.appended))"
      }
      rows.append(["rates", (["in \(Self.rate(rates.appended))"] + out).joined(separator: ", ")])
    }
    if let http = feed.ofProcess?.http { rows.append(["http", http]) }
    return rows
  }

  /// The time that a backlog lasts; nothing of one that is usual, or does not shrink.
  private func catchingUp(_ name: String, out: Double, in rate: Double) -> String {
    guard let consumer = status.consumers.first(where: { $0.name.rawValue == name }), out - rate >= 1,
      Double(consumer.lag) > rate * WatchHistory.usualSeconds
    else { return "" }
    let left = min(Double(consumer.lag) / (out - rate), 1e9)
    return " (caught up in \(Figures.duration(.seconds(left))))"
  }

  private static func rate(_ value: Double) -> String { "\(Figures.rounded(value))/s" }

  var deadLetters: String? {
    let counts =
      [("feed", status.rejectedInput), ("import", status.rejectedImport)]
      + status.consumers.map { ($0.name.rawValue, $0.deadLetters) }
    let kept = counts.filter { $0.1 > 0 }.map { "\(Figures.grouped($0.1)) of \($0.0)" }
    return kept.isEmpty ? nil : kept.joined(separator: ", ") + "; see `tickwal dead-letters list`"
  }

  var gaps: String {
    guard !status.openGaps.isEmpty || status.endedGaps > 0 else { return "none" }
    let recent = Gap.Cause.allCases.compactMap { cause in
      status.recentGaps[cause].map { "\(cause.rawValue) \(Figures.grouped($0))" }
    }
    let stopped = gapsOfStop.isEmpty ? "" : ", 1 of the stop, which the next start ends"
    return "\(Figures.grouped(status.endedGaps)) ended, \(Figures.grouped(openGaps.count)) open\(stopped); "
      + "last 24 h: \(recent.isEmpty ? "none" : recent.joined(separator: ", "))"
  }

  /// Those that a feed which was stopped in order has left: no run is there that could end them.
  private var gapsOfStop: [Gap] {
    status.writerPID == nil ? status.openGaps.filter { $0.cause == .shutdown } : []
  }

  private var openGaps: [Gap] {
    let ofStop = gapsOfStop.map(\.id)
    return status.openGaps.filter { !ofStop.contains($0.id) }
  }

  /// A line for each kind of stream that has delivered.
  private var provenRows: [[String]] {
    guard let completeness = status.completeness else { return [] }
    let kinds = completeness.kinds.filter { $0.streams > 0 }
    let since = UTCTime.readable(microseconds: completeness.since)
    return kinds.enumerated().map { place, kind in
      [place == 0 ? "proven" : "", "\(proven(kind))\(place == 0 ? ", since \(since)" : "")"]
    }
  }

  private func proven(_ kind: Completeness.Kind) -> String {
    let ids = kind.provenTicks > 0 ? " (\(Figures.counted(kind.provenTicks, "tick")))" : ""
    let rest = kind.ticks - kind.provenTicks
    return
      "\(kind.name): \(Figures.grouped(kind.provenStreams)) of \(Figures.counted(kind.streams, "stream")) complete by "
      + "the exchange's ids\(ids); \(Figures.counted(rest, "tick")) by the connections alone"
  }

  /// SQLite's WAL has 64 MiB at most, and a few more for a moment, unless something is in the way.
  private static let usualWALBytes = 80 << 20

  private var size: String {
    let hint = status.walBytes > Self.usualWALBytes ? " (a reader keeps it from starting over)" : ""
    return "\(Figures.bytes(status.fileBytes)), SQLite's WAL \(Figures.bytes(status.walBytes))\(hint)"
  }

  /// The room on the log's volume, and how long it lasts.
  var disk: String {
    guard let volume else { return "unknown" }
    let percent = volume.size > 0 ? " (\(Int(Double(volume.available) / Double(volume.size) * 100)) %)" : ""
    var text = "\(Figures.bytes(volume.available)) of \(Figures.bytes(volume.size)) free\(percent)"
    if let state = feed.ofProcess?.disk { text += ", \(state)" }
    if let left = feed.ofProcess?.secondsUntilFull, left.isFinite, left >= 0 {
      text += "; as it goes full in \(Figures.duration(.seconds(min(left, 1e9).rounded())))"
    }
    return text
  }

  private var ticks: String {
    guard let oldest = status.oldest else {
      return "none kept, head \(Figures.grouped(status.head.rawValue))"
    }
    let rate = last.map { " (\(Figures.rate($0.head.distance(to: status.head), in: .seconds(1))))" } ?? ""
    return "\(Figures.grouped(oldest.rawValue)) to \(Figures.grouped(status.head.rawValue))\(rate)"
  }

  private var consumerTable: TextTable {
    TextTable(
      .init("consumer"), .init("next offset", .right), .init("behind", .right), .init("oldest", .right),
      .init("dead", .right), .init("expired", .right), .init("skipped", .right),
      rows: status.consumers.map { consumer in
        [
          consumer.name.rawValue + (consumer.isEnabled ? "" : " (off)"),
          Figures.grouped(consumer.next.rawValue), Figures.grouped(consumer.lag),
          consumer.lag == 0 || !consumer.isEnabled
            ? "-" : Figures.duration(.milliseconds(Int64(consumer.oldestUnshippedSeconds * 1000))),
          Figures.grouped(consumer.deadLetters), Figures.grouped(consumer.expired),
          Figures.grouped(consumer.skipped),
        ]
      })
  }

  /// Below the table, where there is room for them whole.
  private func destinationLines(width: Int?) -> [String] {
    guard !status.consumers.isEmpty else { return [] }
    let rows = status.consumers.map { [$0.name.rawValue, Destinations.text(ofAddress: $0.destination)] }
    return [""] + TextTable(.init("consumer"), .init("destination"), rows: rows).lines(width: width)
  }

  private var holdLines: [String] {
    let held = status.consumers.compactMap { consumer in
      consumer.hold.map { hold in
        "\(consumer.name) is held, for \(Figures.duration(length(since: hold.since))): \(hold.why)"
      }
    }
    return held.isEmpty ? [] : [""] + held
  }

  /// The number of open gaps that are shown, the newest ones; the document for programs has them all.
  private static let shownGaps = 10
  private static let shownStreams = 3

  private func gapLines(width: Int?) -> [String] {
    let openGaps = openGaps
    guard !openGaps.isEmpty else { return [] }
    let table = TextTable(
      .init("open gap since"), .init("for", .right), .init("cause"), .init("streams"),
      rows: openGaps.suffix(Self.shownGaps).map { gap in
        [
          UTCTime.readable(microseconds: gap.startedAt), Figures.duration(length(since: gap.startedAt)),
          gap.cause.rawValue,
          Text.list(gap.streams, limit: Self.shownStreams),
        ]
      })
    let more = openGaps.count - Self.shownGaps
    return [""] + table.lines(width: width) + (more > 0 ? ["and \(Figures.grouped(more)) older ones"] : [])
  }

  /// So far; a clock that was set back makes it no less than nothing.
  private func length(since start: Int64) -> Duration {
    .microseconds(max(0, status.readAt.subtractingSaturated(start)))
  }

  // MARK: For programs

  var document: JSONDocument {
    let verdict: JSONDocument = .object(["healthy": .bool(health.isHealthy), "problems": health.document])
    let process: JSONDocument = .object([
      "rates": rates, "disk": feed.ofProcess?.disk.map { .string($0) } ?? .null,
      "volume": volume.map {
        .object(["available_bytes": .integer($0.available), "size_bytes": .integer($0.size)])
      } ?? .null,
      "seconds_until_full": feed.ofProcess?.secondsUntilFull.map { .number($0) } ?? .null,
      "http": feed.ofProcess?.http.map { .string($0) } ?? .null, "feed": feed.document,
    ])
    return .object(verdict.members + ofLog.members + process.members)
  }

  private var ofLog: JSONDocument {
    .object([
      "path": .string(path), "log_id": .string(status.logID.rawValue),
      "writer_pid": status.writerPID.map { .integer(Int($0)) } ?? .null,
      "head": .integer(Int(status.head.rawValue)),
      "oldest": status.oldest.map { .integer(Int($0.rawValue)) } ?? .null,
      "last_received_at": status.lastReceivedAt.map { .integer(Int($0)) } ?? .null,
      "file_bytes": .integer(status.fileBytes), "wal_bytes": .integer(status.walBytes),
      "rejected_input": .integer(status.rejectedInput), "rejected_import": .integer(status.rejectedImport),
      "consumers": .array(status.consumers.map(document)),
      "gaps": .object([
        "ended": .integer(status.endedGaps), "open": .array(status.openGaps.map(document)),
        "last_24_hours": .object(
          Gap.Cause.allCases.map { cause in
            .init(key: cause.rawValue, value: .integer(status.recentGaps[cause] ?? 0))
          }),
      ]),
      "completeness": status.completeness.map(document) ?? .null,
    ])
  }

  /// Ticks a second over the last half minute; null if no process says them.
  private var rates: JSONDocument {
    guard let rates = feed.ofProcess?.rates else { return .null }
    return .object([
      "appended": .number(rates.appended),
      "shipped": .object(
        rates.shipped.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: .number($0.value)) }),
    ])
  }

  private func document(_ completeness: Completeness) -> JSONDocument {
    .object([
      "since": .integer(Int(completeness.since)), "at": .integer(Int(completeness.at)),
      "kinds": .array(
        completeness.kinds.map { kind in
          .object([
            "kind": .string(kind.name), "streams": .integer(kind.streams),
            "proven_streams": .integer(kind.provenStreams), "ticks": .integer(kind.ticks),
            "proven_ticks": .integer(kind.provenTicks),
          ])
        }),
    ])
  }

  private func document(_ consumer: LogStatus.Consumer) -> JSONDocument {
    .object([
      "consumer": .string(consumer.name.rawValue), "enabled": .bool(consumer.isEnabled),
      "next_offset": .integer(Int(consumer.next.rawValue)), "head": .integer(Int(status.head.rawValue)),
      "lag": .integer(consumer.lag), "oldest_unshipped_seconds": .number(consumer.oldestUnshippedSeconds),
      "open_batches": .integer(consumer.openBatches), "dead_letters": .integer(consumer.deadLetters),
      "expired": .integer(consumer.expired), "skipped": .integer(consumer.skipped),
      "destination": .string(consumer.destination),
      "held": consumer.hold.map { .object(["since": .integer(Int($0.since)), "why": .string($0.why)]) }
        ?? .null,
    ])
  }

  private func document(_ gap: Gap) -> JSONDocument {
    .object([
      "id": .integer(Int(gap.id.rawValue)), "started_at": .integer(Int(gap.startedAt)),
      "seconds": .number(length(since: gap.startedAt) / .seconds(1)),
      "cause": .string(gap.cause.rawValue), "streams": .array(gap.streams.map { .string($0) }),
      "detail": gap.detail.map { .json($0) } ?? .null,
    ])
  }
}
