import Base
import Logging
import Shippers
import WAL

/// Compares the log with what is at the consumers' destinations, beside a running writer. Moves no consumer.
package struct Reconcile: Sendable {
  package struct Options: Sendable, Equatable {
    /// Contents instead of what is noted with them; every item instead of a sample.
    package var isFull = false
    /// Ship what is missing.
    package var repairs = false

    package init(isFull: Bool = false, repairs: Bool = false) {
      self.isFull = isFull
      self.repairs = repairs
    }
  }

  package struct Progress: Sendable, Equatable {
    package let consumer: ConsumerName
    /// The things that are counted: `names`, `ticks`.
    package let unit: String
    package let done: Int
    /// `nil` where it is not known.
    package let total: Int?

    package init(consumer: ConsumerName, unit: String, done: Int, total: Int?) {
      self.consumer = consumer
      self.unit = unit
      self.done = done
      self.total = total
    }
  }

  package typealias Report = @Sendable (Progress) -> Void

  /// A finding as it is made, and the end of a consumer's comparison.
  package enum News: Sendable {
    case found(ConsumerName, Reconciliation.Problem)
    case compared(Reconciliation)
  }

  /// May wait for whoever reads.
  package typealias Tell = @Sendable (News) async throws -> Void

  let reader: LogReader
  package let options: Options
  let attempts: Attempts
  let clock: ShippingClock
  let report: Report
  private let tell: Tell
  /// Chooses the items that are looked at where not all are.
  let random: any RandomNumberGenerator & Sendable
  /// The part of the bounds that is not kept any more: its items are not compared.
  package let trimmed: OffsetRange?
  /// The offsets to compare; what is above the head is not there yet.
  package let range: OffsetRange
  /// The same for objects' names: a copy of the log may have planned beyond this one's head.
  let names: OffsetRange

  /// - Parameters:
  ///   - first: `nil` means the first of all: what was trimmed is still known by the objects' names.
  ///   - last: `nil` means the head at this moment.
  ///   - random: chooses the items that are looked at where not all are.
  ///   - tell: takes each finding as it is made.
  /// - Throws: `LogError` with `notFound` for a range that the log does not have, or not any more.
  package init(
    reader: LogReader, from first: Offset?, through last: Offset?, options: Options,
    clock: ShippingClock = .system,
    random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(), logger: Logger,
    report: @escaping Report, tell: @escaping Tell = { _ in }
  ) async throws {
    let head = try await reader.head()
    guard head > .zero else { throw LogError(.notFound, "the log has no ticks: there is nothing to compare") }
    let (start, end) = (first ?? .first, last ?? head)
    guard start <= end, end <= head else {
      throw LogError(
        .notFound,
        "cannot compare offsets \(Figures.grouped(start)) to \(Figures.grouped(end)): the log's head is \(Figures.grouped(head))"
      )
    }
    let oldest = try await reader.oldest() ?? head.next
    let isBounded = first != nil || last != nil
    guard !isBounded || end >= oldest else {
      let kept = oldest > head ? "nothing" : "\(Figures.grouped(oldest)) to \(Figures.grouped(head))"
      throw LogError(
        .notFound,
        "cannot compare offsets \(Figures.grouped(start)) to \(Figures.grouped(end)): they are not kept any more, the log has \(kept)"
      )
    }
    trimmed = first != nil && start < oldest ? start...oldest.previous : nil
    self.reader = reader
    self.options = options
    self.clock = clock
    self.random = random
    self.report = report
    self.tell = tell
    range = start...end
    names = start...(last ?? Offset(rawValue: .max))
    attempts = Attempts(
      clock: clock, trouble: "could not compare: trying again", over: "comparing again", logger: logger)
  }

  var inquiry: Inquiry { Inquiry(attempts: attempts) }

  /// Compares each destination that the log has a consumer for, and ships what is missing there if the options say
  /// so. Each has an inventory.
  ///
  /// Trouble that waiting does not mend ends the comparison of one destination, and is in its result.
  ///
  /// - Throws: `LogError` with `destinationChanged` where the log's consumer delivers to another place, with
  ///   `notFound` where it has none of them; the log's errors; `CancellationError`.
  package func run(_ destinations: [any Destination]) async throws -> [Reconciliation] {
    let known = try await reader.consumers()
    let chosen = try destinations.compactMap { destination -> (any Destination, Consumer)? in
      guard let consumer = known.first(where: { $0.name == destination.consumer.name }) else { return nil }
      guard consumer.destination == destination.address else {
        throw LogError(
          .destinationChanged,
          "consumer \(consumer.name) delivers to \(JSONText.words(consumer.destination)), and the settings say "
            + "\(JSONText.words(destination.address)); compare with the settings of `run`")
      }
      return (destination, consumer)
    }
    guard !chosen.isEmpty else {
      throw LogError(
        .notFound,
        "the log has shipped nothing there: no enabled consumer is in it; give the settings of `run`, --local too"
      )
    }
    var results: [Reconciliation] = []
    for (destination, consumer) in chosen {
      var result = try await compare(destination, consumer)
      try await tellNew(&result)
      try await tell(.compared(result))
      results.append(result)
    }
    return results
  }

  /// Tells what was found since it was told last.
  func tellNew(_ result: inout Reconciliation) async throws {
    for problem in result.takeUntold() { try await tell(.found(result.consumer, problem)) }
  }

  /// - Parameter consumer: as the log has it; it delivers there.
  func compare(_ destination: any Destination, _ consumer: Consumer) async throws -> Reconciliation {
    guard let inventory = destination.inventory else {
      preconditionFailure("\(destination.consumer.name) cannot be compared")
    }
    switch inventory {
    case .objects(let inventory):
      return try await ObjectComparison(
        reconcile: self, consumer: consumer, unit: destination.unit, inventory: inventory,
        logID: try await reader.logID()
      ).run()
    case .ticks(let inventory): return try await compare(inventory, consumer, unit: destination.unit)
    }
  }

  private func compare(
    _ inventory: some TickInventory, _ consumer: Consumer, unit: String
  ) async throws -> Reconciliation {
    let result: Reconciliation
    do {
      result = try await TickComparison(
        reconcile: self, consumer: consumer, unit: unit, inventory: inventory
      ).run()
    } catch {
      try await inventory.close()
      throw error
    }
    try await inventory.close()
    return result
  }
}
