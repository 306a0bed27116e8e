import Base
import Shippers
import WAL

/// Compares ticks with what a place has of each: all of them, or a thousand at random places.
struct TickComparison<Inventory: TickInventory>: Sendable {
  let reconcile: Reconcile
  let consumer: Consumer
  let unit: String
  let inventory: Inventory

  private var reader: LogReader { reconcile.reader }

  /// Ticks that are looked at without `--full`.
  static var sample: Int { 1_000 }
  /// Requests at a time.
  private static var concurrency: Int { 8 }
  private var pageTicks: Int { inventory.keysAtATime * Self.concurrency }
  /// Ticks read at a time in search of one.
  private static var walkTicks: Int { 1_000 }

  func run() async throws -> Reconciliation {
    var result = Reconciliation(consumer, unit: unit)
    do {
      try await compareAll(&result)
    } catch {
      try result.end(with: error)
    }
    return result
  }

  private func compareAll(_ result: inout Reconciliation) async throws {
    guard let range = try await confirmed() else { return }
    var suspects: [Suspect] = []
    let isSample = !reconcile.options.isFull && range.length > Self.sample
    result.isSample = isSample
    var random = reconcile.random
    var done = 0
    var next = range.lowerBound
    while isSample ? done < Self.sample : next <= range.upperBound {
      try Task.checkCancellation()
      let candidates: [Candidate]
      if isSample {
        candidates = try await sample(
          range, places: done..<min(done + pageTicks, Self.sample), using: &random)
        done = min(done + pageTicks, Self.sample)
      } else {
        let kept = try await reader.keptPage(
          from: next, through: range.upperBound, maximumTicks: pageTicks)
        guard let page = kept, let read = page.range else { break }
        candidates = self.candidates(page)
        next = read.upperBound.next
        done = range.lowerBound.distance(to: next)
      }
      suspects += try await compare(candidates, &result)
      if suspects.count >= Self.mostSuspects { try await settle(&suspects, &result) }
      try await reconcile.tellNew(&result)
      report("ticks", done, of: isSample ? Self.sample : range.length)
    }
    try await settle(&suspects, &result)
    try await count(range, &result)
  }

  /// The ticks that the consumer has behind it and that are kept.
  private func confirmed() async throws -> OffsetRange? {
    guard let oldest = try await reader.oldest() else { return nil }
    let first = max(reconcile.range.lowerBound, oldest)
    let last = min(reconcile.range.upperBound, consumer.next.previous)
    return first <= last ? first...last : nil
  }

  private func count(_ range: OffsetRange, _ result: inout Reconciliation) async throws {
    result.deadLetters = try await reader.deadLetterCount(of: consumer.name, in: range)
    let skipped = try await reader.skipped(of: consumer.name, in: range)
    result.skipped = range.length - range.without(skipped).reduce(0) { $0 + $1.length }
  }

  // MARK: Ticks

  /// A tick and what becomes of it.
  struct Candidate: Sendable {
    let offset: Offset
    let eventTime: Int64?
    let expected: Inventory.Expected
  }

  /// Rows that cannot be read are no business of the place's.
  private func candidates(_ page: TickPage) -> [Candidate] {
    zip(page.offsets, page.ticks.entries).compactMap { offset, tick in
      inventory.expected(page.ticks, tick, at: offset).map {
        Candidate(offset: offset, eventTime: tick.eventTime, expected: $0)
      }
    }
  }

  /// One tick of each of so many equal stretches.
  private func sample(
    _ range: OffsetRange, places: Range<Int>, using random: inout any RandomNumberGenerator & Sendable
  ) async throws -> [Candidate] {
    var found: [Candidate] = []
    for place in places {
      // Each stretch a few longer than the one before it where the length is no multiple.
      let (whole, rest) = range.length.quotientAndRemainder(dividingBy: Self.sample)
      let start = whole * place + rest * place / Self.sample
      let end = whole * (place + 1) + rest * (place + 1) / Self.sample
      let offset = range.lowerBound.advanced(by: Int.random(in: start..<end, using: &random))
      // One that was trimmed meanwhile is left out.
      if let page = try await reader.keptPage(from: offset, through: offset, maximumTicks: 1) {
        found += candidates(page)
      }
    }
    return found
  }

  // MARK: Comparing

  private struct Part: Sendable {
    var checked = 0
    var agreeing = 0
    var otherTTL = 0
    var expired = 0
    var missing: [(candidate: Candidate, isRepaired: Bool, refusal: String?)] = []
    var suspects: [Suspect] = []
  }

  private func compare(
    _ candidates: [Candidate], _ result: inout Reconciliation
  ) async throws -> [Suspect] {
    let parts = try await withThrowingTaskGroup(of: (Int, Part).self) { group in
      for (index, start) in stride(from: 0, to: candidates.count, by: inventory.keysAtATime).enumerated() {
        let chunk = Array(candidates[start..<min(start + inventory.keysAtATime, candidates.count)])
        group.addTask { (index, try await look(at: chunk)) }
      }
      var parts: [(Int, Part)] = []
      while let part = try await group.next() { parts.append(part) }
      return parts.sorted { $0.0 < $1.0 }.map(\.1)
    }
    for part in parts {
      result.checked += part.checked
      result.agreeing += part.agreeing
      result.otherTTL += part.otherTTL
      result.expired += part.expired
      for (candidate, isRepaired, refusal) in part.missing {
        let outcome = isRepaired ? "; written again" : refusal.map { "; refused: \($0)" } ?? ""
        result.add(.missing, isRepaired: isRepaired, "\(name(candidate)): not there\(outcome)")
      }
    }
    return parts.flatMap(\.suspects)
  }

  private func look(at candidates: [Candidate]) async throws -> Part {
    let keys = Set(candidates.map { inventory.key($0.expected) })
    let found = try await inquire("read the \(unit) of", inventory.place) {
      try await inventory.found(under: Array(keys))
    }
    var part = Part()
    var recorded: Recorded?
    for candidate in candidates {
      let thing = found[inventory.key(candidate.expected)]
      let match = thing.map { inventory.compare(candidate.expected, with: $0) }
      if match == .agrees || match == .agreesButTTL {
        part.checked += 1
        part.agreeing += 1
        if match == .agreesButTTL { part.otherTTL += 1 }
        continue
      }
      if recorded == nil, let first = candidates.first, let last = candidates.last {
        recorded = try await self.recorded(first.offset...last.offset)
      }
      if recorded?.contains(candidate.offset) ?? false { continue }
      part.checked += 1
      if let thing, case .differs(let names) = match {
        part.suspects.append(Suspect(candidate: candidate, found: thing, names: names))
      } else if try await inventory.hasExpired(
        candidate.expected, wall: reconcile.clock.wall(), attempts: reconcile.attempts)
      {
        part.expired += 1
      } else {
        part.missing.append(try await repair(candidate))
      }
    }
    return part
  }

  /// As the reconciliation's inquiry; what ends it names what was asked for.
  private func inquire<T: Sendable>(
    _ doing: String, _ key: String, _ operation: () async throws -> T
  ) async throws -> T {
    do {
      return try await reconcile.inquiry(doing, key, operation)
    } catch is CancellationError {
      throw CancellationError()
    } catch {
      throw ComparisonFailure(doing, key, error)
    }
  }

  /// The ticks that were not written, as the log says.
  private struct Recorded {
    let dead: Set<Offset>
    let skipped: [OffsetRange]

    func contains(_ offset: Offset) -> Bool {
      dead.contains(offset) || skipped.contains { $0.contains(offset) }
    }
  }

  private func recorded(_ range: OffsetRange) async throws -> Recorded {
    Recorded(
      dead: Set(try await reader.deadOffsets(of: consumer.name, in: range)),
      skipped: try await reader.skipped(of: consumer.name, in: range))
  }

  private func repair(
    _ candidate: Candidate
  ) async throws -> (candidate: Candidate, isRepaired: Bool, refusal: String?) {
    guard reconcile.options.repairs else { return (candidate, false, nil) }
    let refusal = try await inquire("write what is missing at", "offset \(Figures.grouped(candidate.offset))")
    {
      try await inventory.write(candidate.expected)
    }
    return (candidate, refusal == nil, refusal)
  }

  // MARK: Suspects

  /// A thing that is another than its tick makes: perhaps that of another tick with the same key.
  struct Suspect: Sendable {
    let candidate: Candidate
    let found: Inventory.Found
    /// The names of what differs.
    let names: [String]
  }

  private static var mostSuspects: Int { 2_000 }

  /// Walks over the log for the ticks whose things the suspects are; what is left is different.
  private func settle(_ suspects: inout [Suspect], _ result: inout Reconciliation) async throws {
    guard !suspects.isEmpty, var next = try await reader.oldest() else { return }
    var left = Dictionary(grouping: suspects) { inventory.key($0.candidate.expected) }
    // Ticks of one key are of one time: only those need a closer look.
    let times = Set(suspects.map(\.candidate.eventTime))
    let head = try await reader.head()
    while next <= head, !left.isEmpty {
      try Task.checkCancellation()
      let kept = try await reader.keptPage(from: next, through: head, maximumTicks: Self.walkTicks)
      guard let page = kept, let read = page.range else { break }
      for (offset, tick) in zip(page.offsets, page.ticks.entries) where times.contains(tick.eventTime) {
        guard let expected = inventory.expected(page.ticks, tick, at: offset) else { continue }
        let key = inventory.key(expected)
        guard let group = left[key] else { continue }
        let rest = group.filter { suspect in
          if case .differs = inventory.compare(expected, with: suspect.found) { true } else { false }
        }
        result.agreeing += group.count - rest.count
        left[key] = rest.isEmpty ? nil : rest
      }
      next = read.upperBound.next
    }
    for suspect in left.values.joined().sorted(by: { $0.candidate.offset < $1.candidate.offset }) {
      let names = suspect.names.joined(separator: ", ")
      result.add(.different, "\(name(suspect.candidate)): differs in \(names)")
    }
    suspects.removeAll()
  }

  /// For a line about it.
  private func name(_ candidate: Candidate) -> String {
    let name = inventory.name(candidate.expected).map { ", \($0)" } ?? ""
    return "offset \(Figures.grouped(candidate.offset))\(name)"
  }

  private func report(_ unit: String, _ done: Int, of total: Int?) {
    reconcile.report(Reconcile.Progress(consumer: consumer.name, unit: unit, done: done, total: total))
  }
}

extension LogReader {
  /// As ``page(from:through:maximumTicks:maximumBytes:)``, but reads on where ticks are kept if the first ones were
  /// trimmed meanwhile.
  ///
  /// - Returns: `nil` if nothing of the range is kept any more.
  fileprivate func keptPage(from first: Offset, through last: Offset, maximumTicks: Int) throws -> TickPage? {
    var first = first
    while true {
      do {
        return try page(from: first, through: last, maximumTicks: maximumTicks)
      } catch let error as LogError where error.code == .notFound {
        guard let oldest = try oldest(), oldest > first, oldest <= last else { return nil }
        first = oldest
      }
    }
  }
}
