import Base
import Inspect
import WAL

/// The findings of `reconcile`, as text and as JSON.
struct ReconcileReport: Sendable {
  let path: String
  let logID: LogID
  let range: OffsetRange
  /// The part of it that is not kept any more, where bounds were given.
  let trimmed: OffsetRange?
  let options: Reconcile.Options
  let results: [Reconciliation]

  var agrees: Bool { results.allSatisfy(\.agrees) }

  /// For the last line, where something is wrong.
  var summary: String {
    if let result = results.first(where: { $0.failure != nil }), let failure = result.failure {
      return "\(result.consumer) was not compared to its end: \(Text.oneLine(failure, limit: 2_000))"
    }
    let wrong = results.reduce(0) { $0 + $1.missing - $1.repaired + $1.double + $1.different }
    return
      "\(Figures.grouped(wrong)) \(wrong == 1 ? "difference" : "differences") between the log and what was shipped"
  }

  // MARK: Text

  /// The last line, where there is something to add to the ``lines(_:)`` of all news.
  var note: String? {
    trimmed.map {
      "offsets \(Figures.grouped($0.lowerBound)) to \(Figures.grouped($0.upperBound)) are not kept any more: their items are not compared"
    }
  }

  /// The lines for what was found, or for what was found out in all of one consumer.
  static func lines(_ news: Reconcile.News) -> [String] {
    switch news {
    case .found(let consumer, let problem):
      let kind = problem.isRepaired ? "repaired" : problem.kind.rawValue
      return ["\(consumer) \(kind): \(Text.oneLine(problem.text, limit: 2_000))"]
    case .compared(let result): return lines(result)
    }
  }

  private static func lines(_ result: Reconciliation) -> [String] {
    var lines: [String] = []
    if result.moreProblems > 0 {
      lines.append("\(result.consumer): \(Figures.grouped(result.moreProblems)) more")
    }
    var counts = [
      "\(Figures.counted(result.checked, plural: result.unit)) compared\(result.isSample ? " at random" : "")",
      "\(Figures.grouped(result.agreeing)) \(result.agreeing == 1 ? "agrees" : "agree")",
      "\(Figures.grouped(result.missing)) missing", "\(Figures.grouped(result.double)) double",
      "\(Figures.grouped(result.different)) different",
    ]
    for (count, words) in result.asides where count > 0 {
      // `1 tick was skipped`
      let fitting =
        count == 1
        ? words.replacing("ticks are dead letters", with: "tick is a dead letter")
          .replacing("ticks were", with: "tick was") : words
      counts.append("\(Figures.grouped(count)) \(fitting)")
    }
    lines.append("\(result.consumer): \(counts.joined(separator: ", "))")
    if let failure = result.failure {
      lines.append("\(result.consumer) was not compared to its end: \(Text.oneLine(failure, limit: 2_000))")
    }
    return lines
  }

  // MARK: JSON

  var document: JSONDocument {
    .object([
      "path": .string(path), "log_id": .string(logID.rawValue),
      "first": .integer(Int(range.lowerBound.rawValue)),
      "last": .integer(Int(range.upperBound.rawValue)), "full": .bool(options.isFull),
      "repair": .bool(options.repairs), "agrees": .bool(agrees),
      "consumers": .array(results.map(document)),
    ])
  }

  private func document(_ result: Reconciliation) -> JSONDocument {
    .object([
      "consumer": .string(result.consumer.rawValue), "destination": .string(result.destination),
      "unit": .string(result.unit), "checked": .integer(result.checked),
      "agreeing": .integer(result.agreeing),
      "missing": .integer(result.missing), "double": .integer(result.double),
      "different": .integer(result.different), "repaired": .integer(result.repaired),
      "pending": .integer(result.pending), "outside": .integer(result.outside),
      "dead_letters": .integer(result.deadLetters), "skipped": .integer(result.skipped),
      "expired": .integer(result.expired), "other_ttl": .integer(result.otherTTL),
      "sample": .bool(result.isSample), "failure": result.failure.map { .string($0) } ?? .null,
      "problems": .array(
        result.problems.map { problem in
          .object([
            "kind": .string(problem.kind.rawValue), "repaired": .bool(problem.isRepaired),
            "text": .string(problem.text),
          ])
        }),
      "more_problems": .integer(result.moreProblems),
    ])
  }
}

extension Reconciliation {
  /// The facts that are no problem and yet worth knowing.
  fileprivate var asides: [(Int, String)] {
    [
      (repaired, "repaired"), (pending, "not shipped yet"), (outside, "of ticks that are not kept any more"),
      (expired, "expired"), (otherTTL, "with another ttl_days"), (deadLetters, "ticks are dead letters"),
      (skipped, "ticks were skipped"),
    ]
  }
}
