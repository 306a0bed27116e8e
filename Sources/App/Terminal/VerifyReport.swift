import Base
import Inspect
import WAL

/// The findings of `verify`, as text for people and as a document for programs. Pure.
struct VerifyReport: Sendable {
  let path: String
  /// `nil` if the log could not be read at all.
  var verification: LogVerification?
  /// Why not.
  var failure: String?
  var output: String?
  /// The file that a salvage was to write, where there is nothing to be salvaged.
  var unneeded: String?
  var salvaged: SalvageOutcome?

  init(path: String) {
    self.path = path
  }

  var isClean: Bool { failure == nil && verification?.problems.isEmpty == true && (salvaged?.lost ?? 0) == 0 }

  /// The trouble in one sentence, for the last line on stderr.
  var summary: String {
    let count = verification?.problems.count ?? 1
    return "\(path) has \(Figures.grouped(count)) \(count == 1 ? "problem" : "problems")"
      + (output == nil ? "; --salvage FILE writes what can be read to a new log" : "")
  }

  // MARK: For people

  var lines: [String] {
    var lines: [String] = []
    if let failure { lines.append(Text.oneLine(failure, limit: 4_000)) }
    if let verification { lines += self.lines(verification) }
    if let salvaged, let output { lines += self.lines(salvaged, output) }
    if let unneeded { lines.append("nothing is to be salvaged: \(unneeded) was not made") }
    return lines
  }

  private func lines(_ verification: LogVerification) -> [String] {
    let problems = verification.problems
    var lines = problems.first.map { "\($0.kind.rawValue): \(Text.oneLine($0.text, limit: 400))" }
    if problems.count > problems.first.count {
      lines.append("and \(Figures.grouped(problems.count - problems.first.count)) more")
    }
    var ticks = "\(Figures.counted(verification.good, "tick")) \(verification.good == 1 ? "is" : "are") good"
    if verification.bad > 0 {
      ticks += ", \(Figures.grouped(verification.bad)) \(verification.bad == 1 ? "is" : "are") not"
    }
    if verification.lost > 0 {
      ticks +=
        ", \(Figures.grouped(verification.lost)) \(verification.lost == 1 ? "is" : "are") known to be lost"
    }
    if let kept = verification.kept {
      ticks +=
        " (offsets \(Figures.grouped(kept.lowerBound.rawValue)) to \(Figures.grouped(kept.upperBound.rawValue)))"
    }
    lines.append("\(path): \(ticks)")
    lines += skipLines(verification.sequences)
    if problems.isEmpty {
      lines.append("no problems")
    } else {
      let counts = LogProblem.Kind.allCases.compactMap { kind in
        problems.counts[kind].map { "\(Figures.grouped($0)) \(kind.rawValue)" }
      }
      lines.append("problems: " + counts.joined(separator: ", "))
    }
    return lines
  }

  private static let shownSkips = 10

  private func skipLines(_ sequences: SequenceFindings) -> [String] {
    guard sequences.streams > 0 else { return [] }
    let streams = "\(Figures.grouped(sequences.streams)) \(sequences.streams == 1 ? "stream" : "streams")"
    guard sequences.count > 0 else { return ["the exchange's ids of \(streams) skip nowhere but in gaps"] }
    let times = sequences.count == 1 ? "once" : "\(Figures.grouped(sequences.count)) times"
    let shown = sequences.first.prefix(Self.shownSkips).map { skip in
      "skip: \(Text.oneLine(skip.stream, limit: 400)), ids after \(skip.after) and before \(skip.before), "
        + "received between \(UTCTime.readable(microseconds: skip.startedAt)) and "
        + "\(UTCTime.readable(microseconds: skip.endedAt))"
    }
    let more = sequences.count - shown.count
    return shown + (more > 0 ? ["and \(Figures.grouped(more)) more"] : [])
      + [
        "the exchange's ids of \(streams) skip \(times) outside gaps: what was received is not all there was"
      ]
  }

  private func lines(_ salvaged: SalvageOutcome, _ output: String) -> [String] {
    var lines = salvaged.notes.map { "salvage: \(Text.oneLine($0, limit: 400))" }
    if salvaged.hasNewLogID {
      lines.append(
        "salvage: the log_id could not be read: the new log has one of its own, and objects new names")
    }
    for range in salvaged.lostRanges {
      lines.append(
        "lost: offsets \(Figures.grouped(range.lowerBound)) to \(Figures.grouped(range.upperBound))")
    }
    var summary =
      "\(output): \(Figures.counted(salvaged.ticks, "tick")), head \(Figures.grouped(salvaged.head)), log_id \(salvaged.logID)"
    if salvaged.foundOnPages > 0 {
      summary +=
        "; \(Figures.grouped(salvaged.foundOnPages)) \(salvaged.foundOnPages == 1 ? "was" : "were") found on pages that nothing led to"
    }
    lines.append(summary + "; \(Figures.grouped(salvaged.lost)) lost")
    return lines
  }

  // MARK: For programs

  var document: JSONDocument {
    let sequences = verification.map { document($0.sequences) } ?? JSONDocument.null
    return .object([
      "path": .string(path), "ok": .bool(isClean), "failure": failure.map { .string($0) } ?? .null,
      "head": verification?.head.map { .integer(Int($0.rawValue)) } ?? .null,
      "ticks": verification.map(ticks) ?? .null,
      "problem_count": .integer(verification?.problems.count ?? 0),
      "problems": .array(verification?.problems.first.map(document) ?? []),
      "sequences": sequences,
      "salvage": salvaged.map(document) ?? .null,
    ])
  }

  private func ticks(_ verification: LogVerification) -> JSONDocument {
    .object([
      "first": verification.kept.map { .integer(Int($0.lowerBound.rawValue)) } ?? .null,
      "last": verification.kept.map { .integer(Int($0.upperBound.rawValue)) } ?? .null,
      "good": .integer(verification.good), "bad": .integer(verification.bad),
      "lost": .integer(verification.lost),
    ])
  }

  private func document(_ sequences: SequenceFindings) -> JSONDocument {
    .object([
      "streams": .integer(sequences.streams), "skip_count": .integer(sequences.count),
      "skips": .array(
        sequences.first.map { skip in
          .object([
            "stream": .string(skip.stream), "after": .integer(Int(skip.after)),
            "before": .integer(Int(skip.before)), "started_at": .integer(Int(skip.startedAt)),
            "ended_at": .integer(Int(skip.endedAt)),
          ])
        }),
    ])
  }

  private func document(_ problem: LogProblem) -> JSONDocument {
    .object([
      "kind": .string(problem.kind.rawValue), "text": .string(problem.text),
      "first_offset": problem.range.map { .integer(Int($0.lowerBound.rawValue)) } ?? .null,
      "last_offset": problem.range.map { .integer(Int($0.upperBound.rawValue)) } ?? .null,
    ])
  }

  private func document(_ salvaged: SalvageOutcome) -> JSONDocument {
    .object([
      "path": .string(output ?? ""), "log_id": .string(salvaged.logID.rawValue),
      "new_log_id": .bool(salvaged.hasNewLogID), "head": .integer(Int(salvaged.head.rawValue)),
      "ticks": .integer(salvaged.ticks), "found_on_pages": .integer(salvaged.foundOnPages),
      "lost": .integer(salvaged.lost),
      "lost_ranges": .array(
        salvaged.lostRanges.map {
          .array([.integer(Int($0.lowerBound.rawValue)), .integer(Int($0.upperBound.rawValue))])
        }),
      "notes": .array(salvaged.notes.map { .string($0) }),
    ])
  }
}
