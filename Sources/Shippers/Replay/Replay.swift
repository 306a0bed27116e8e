import Base
import Logging
import WAL

/// Delivers a range of the log again, beside a running writer, and moves no consumer. What is refused again and again
/// ends it with a `Refusal`.
package struct Replay: Sendable {
  /// The outcome for the range.
  package struct Outcome: Sendable, Equatable {
    /// Rows, items or objects delivered.
    package var delivered: Int
    /// Objects that were there already, with the planned content.
    package var alreadyThere: Int
    /// The end of a range that reaches beyond what is planned, where that is allowed: the last offset of it, and the
    /// ticks of the range that are after it.
    package var endedEarly: EarlyEnd?
    /// Items left out because their TTL had passed; `nil` where nothing has one.
    package var expired: Int?
    /// Whatever could not be delivered, one line each; at most `problemLimit`, then `moreProblems` counts.
    package var problems: [String] = []
    package var moreProblems = 0

    package struct EarlyEnd: Sendable, Equatable {
      package let last: Offset
      package let left: Int
    }

    static let problemLimit = 20

    package init(delivered: Int = 0, alreadyThere: Int = 0, expired: Int? = nil) {
      self.delivered = delivered
      self.alreadyThere = alreadyThere
      self.expired = expired
    }

    package mutating func add(problem: String) {
      if problems.count < Self.problemLimit { problems.append(problem) } else { moreProblems += 1 }
    }
  }

  /// Called after each page with the last offset that is done.
  package typealias Report = @Sendable (Offset) -> Void

  package let reader: LogReader
  package let range: OffsetRange
  package let attempts: Attempts
  package let clock: ShippingClock
  package let report: Report
  /// The folder for copies; `nil` for what was delivered, once more.
  package let copiesUnder: String?
  /// Whether what is in no object yet is left out at the end of the range.
  package let mayEndEarlier: Bool

  /// - Parameter last: `nil` means the head at this moment.
  /// - Throws: `LogError` with `notFound`, naming both bounds, for a range that the log does not have.
  package init(
    reader: LogReader, from first: Offset, through last: Offset?, mayEndEarlier: Bool = false,
    copiesUnder: String? = nil,
    clock: ShippingClock = .system, logger: Logger, report: @escaping Report
  ) async throws {
    let head = try await reader.head()
    guard let oldest = try await reader.oldest() else {
      throw LogError(.notFound, "the log has no ticks to replay: its head is \(Figures.grouped(head))")
    }
    let end = last ?? head
    guard first >= oldest, first <= head, end <= head else {
      throw LogError(
        .notFound,
        "cannot replay offsets \(Figures.grouped(first)) to \(Figures.grouped(end)): the log has \(Figures.grouped(oldest)) to \(Figures.grouped(head))"
      )
    }
    guard first <= end else {
      throw LogError(
        .notFound,
        "cannot replay offsets \(Figures.grouped(first)) to \(Figures.grouped(end)): the end comes before the start"
      )
    }
    self.reader = reader
    range = first...end
    self.clock = clock
    self.report = report
    self.copiesUnder = copiesUnder
    self.mayEndEarlier = mayEndEarlier
    attempts = Attempts(
      reporter: TroubleReporter(logger: logger, now: clock.now), control: ShippingControl(), clock: clock,
      trouble: "could not deliver: trying again; five refusals in a row end the command",
      patience: Refusal.patience)
  }

  // MARK: Rows

  /// Gives the rows, as they are in objects, to `write`, a page at a time.
  package func rows(to write: ([UInt8]) async throws -> Void) async throws -> Outcome {
    var outcome = Outcome()
    var rows = TickLines(.row)
    try await eachPage { page in
      rows.removeAll()
      page.ticks.bytes.withUnsafeBufferPointer { texts in
        for (offset, entry) in zip(page.offsets, page.ticks.entries) {
          do throws(JSONError) {
            try rows.append(entry, in: texts)
            outcome.delivered += 1
          } catch {
            outcome.add(problem: "offset \(Figures.grouped(offset)): \(error)")
          }
        }
      }
      try await write(rows.bytes)
      for row in page.bad { outcome.add(problem: "offset \(Figures.grouped(row.offset)): \(row.cause)") }
    }
    return outcome
  }

  package func eachPage(_ body: (TickPage) async throws -> Void) async throws {
    var next = range.lowerBound
    while next <= range.upperBound {
      try Task.checkCancellation()
      let page = try await reader.page(
        from: next, through: range.upperBound, maximumTicks: TickSource.pageTicks)
      guard let read = page.range else {
        throw LogError(.notFound, "the log ends before offset \(Figures.grouped(next))")
      }
      try await body(page)
      next = read.upperBound.next
      report(read.upperBound)
    }
  }
}
