import LogFixtures

@testable import WAL

/// All that a log holds, in a form that a model can tell beforehand.
struct LogContents: Equatable, Sendable {
  struct Batch: Equatable, Sendable {
    var first: Int64
    var last: Int64
    var isShipped: Bool
  }

  struct Gap: Equatable, Sendable {
    var startedAt: Int64
    var endedAt: Int64?
  }

  /// How many requests of a walk it has seen.
  var revision = 0
  var head: Int64 = 0
  /// Everything up to here is trimmed.
  var trimmed: Int64 = 0
  /// Offsets with what is at them.
  var ticks: [Int64: String] = [:]
  /// Next offsets.
  var consumers: [String: Int64] = [:]
  /// Of the consumer `s3`, in order.
  var batches: [Batch] = []
  var gaps: [Gap] = []
  /// Offsets of dead letters; 0 for input that is no tick.
  var letters: [Int64] = []
  /// Offsets that a consumer has passed over.
  var skipped: [String: Set<Int64>] = [:]

  /// What can be said of any log, whatever was done to it.
  var contradiction: String? {
    if trimmed > head || ticks.keys.sorted() != Array(trimmed + 1..<head + 1) {
      return "offsets are not dense"
    }
    if let ahead = consumers.first(where: { $0.value > head + 1 }) { return "\(ahead.key) is ahead" }
    if let behind = consumers.first(where: { $0.value <= trimmed }) { return "\(behind.key) is behind" }
    let next = consumers["s3", default: 1]
    var covered = trimmed
    for batch in batches {
      if batch.first <= covered || batch.last < batch.first { return "batches overlap" }
      if !areSkipped(from: covered + 1, to: min(batch.first, next)) {
        return "s3 is past what is in no batch"
      }
      covered = batch.last
      if batch.isShipped != (batch.last < next) {
        return "s3 is past a batch that is open, or before one that is not"
      }
      if batch.first < next, batch.last >= next { return "s3 is in a batch" }
    }
    if !areSkipped(from: covered + 1, to: next) { return "s3 is past what is in no batch" }
    return covered > head ? "a batch is ahead" : nil
  }

  private func areSkipped(from first: Int64, to end: Int64) -> Bool {
    (first..<max(first, end)).allSatisfy { skipped["s3"]?.contains($0) ?? false }
  }

  /// Where it differs from what it should be, but for the texts of ticks.
  func difference(from expected: LogContents) -> String? {
    guard self != expected else { return nil }
    var (found, expected) = (self, expected)
    let ticks = Set(found.ticks.keys).symmetricDifference(expected.ticks.keys)
    let others = found.ticks.filter { expected.ticks[$0.key] != $0.value }.keys
    (found.ticks, expected.ticks) = ([:], [:])
    return "ticks \(ticks.union(others).sorted()); \(found) instead of \(expected)"
  }

  // MARK: Trimming

  /// How far it may be trimmed: what every consumer is past and what is old, up to where a batch ends.
  ///
  /// - Parameter aged: the last tick that is old.
  func lastTrimmable(aged: Int64) -> Int64 {
    let last = max(trimmed, min(aged, head, (consumers.values.min() ?? .max) - 1))
    let cut = batches.first { $0.isShipped && $0.first <= last && $0.last > last }
    return cut.map { $0.first - 1 } ?? last
  }

  /// What it holds when everything up to an offset is trimmed.
  func trimmed(through line: Int64) -> LogContents {
    var rest = self
    rest.trimmed = line
    rest.ticks = ticks.filter { $0.key > line }
    rest.batches.removeAll { $0.isShipped && $0.last <= line }
    return rest
  }
}

extension LogReader {
  func logContents() throws -> (contents: LogContents, integrity: String?) {
    var contents = LogContents()
    var next = try read { try $0.trimmed().next }
    contents.trimmed = next.rawValue - 1
    while true {
      let page = try page(from: next, maximumTicks: 1_000)
      guard let range = page.range else { break }
      for (offset, line) in zip(page.offsets, lines(page.ticks)) { contents.ticks[offset.rawValue] = line }
      next = range.upperBound.next
    }
    return try read { connection in
      contents.revision =
        Int(try connection.text("SELECT value FROM meta WHERE key = 'revision'") ?? "0") ?? -1
      contents.head = try connection.head().rawValue
      for consumer in try connection.consumers() {
        contents.consumers[consumer.name.rawValue] = consumer.next.rawValue
      }
      let batches = try connection.prepare(
        "SELECT first_offset, last_offset, state = 'shipped' FROM batches ORDER BY consumer, first_offset")
      while try batches.step() {
        contents.batches.append(
          LogContents.Batch(first: batches.int(0), last: batches.int(1), isShipped: batches.int(2) == 1))
      }
      let gaps = try connection.prepare("SELECT started_at, ended_at FROM gaps ORDER BY id")
      while try gaps.step() {
        contents.gaps.append(LogContents.Gap(startedAt: gaps.int(0), endedAt: gaps.optionalInt(1)))
      }
      let letters = try connection.prepare("SELECT coalesce(offset, 0) FROM dead_letters ORDER BY id")
      while try letters.step() { contents.letters.append(letters.int(0)) }
      let skipped = try connection.prepare("SELECT consumer, first_offset, last_offset FROM skipped")
      while try skipped.step() {
        guard skipped.int(1) <= skipped.int(2) else { continue }
        contents.skipped[skipped.text(0), default: []].formUnion(skipped.int(1)...skipped.int(2))
      }
      return (contents, try connection.text("PRAGMA integrity_check"))
    }
  }
}
