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
  /// Offsets with what is at them.
  var ticks: [Int64: String] = [:]
  /// Next offsets.
  var consumers: [String: Int64] = [:]
  /// Of the consumer `s3`, in order.
  var batches: [Batch] = []
  var gaps: [Gap] = []
  /// Offsets of dead letters; 0 for input that is no tick.
  var letters: [Int64] = []

  /// What can be said of any log, whatever was done to it.
  var contradiction: String? {
    let offsets = ticks.keys.sorted()
    if let first = offsets.first, let last = offsets.last {
      if last != head || Int(last - first) + 1 != offsets.count { return "offsets are not dense" }
    }
    if let ahead = consumers.first(where: { $0.value > head + 1 }) { return "\(ahead.key) is ahead" }
    var next = batches.first?.first ?? 0
    for batch in batches {
      if batch.first != next || batch.last < batch.first { return "batches do not follow one another" }
      next = batch.last + 1
      let isPassed = batch.last < consumers["s3", default: 1]
      if isPassed, !batch.isShipped { return "s3 is past a batch that is not shipped" }
    }
    return next > head + 1 ? "a batch is ahead" : nil
  }
}

extension LogReader {
  func logContents() throws -> (contents: LogContents, integrity: String?) {
    var contents = LogContents()
    var next = Offset.first
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
      return (contents, try connection.text("PRAGMA integrity_check"))
    }
  }
}
