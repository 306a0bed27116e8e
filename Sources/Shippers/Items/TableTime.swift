/// A table's time of day as its answers tell it, and whether a TTL is over by it: a pure value.
///
/// A tick that is given up is gone, so no single `Date` does that. Another time than the one that is known counts when
/// two answers say it, and a tick that this machine's clock calls alive is given up only if the table was asked
/// again and still says so. A table that tells no time is judged by this machine's clock; while one contradicts
/// itself, nothing is given up: writing what has expired does no harm.
///
/// Epoch seconds, but for `elapsed`: seconds from any start, by a clock that nobody sets.
struct TableTime {
  enum Verdict: Equatable {
    case alive, passed
    /// Ask the table, then call `asked` or `abandoned`; nobody else is told to meanwhile.
    case ask
    /// Somebody is asking; ask again when they are done.
    case wait
  }

  /// The reason why a table's own time does not count.
  enum Doubt: Equatable {
    /// Its answers have no `Date` that can be read.
    case noDate
    /// No two of its answers agree.
    case contradicts
  }

  private struct Reading: Equatable {
    let date: Int64
    let elapsed: Int64

    func date(at elapsed: Int64) -> Int64 { date + elapsed - self.elapsed }

    func agrees(with other: Reading) -> Bool {
      abs(date - other.date(at: elapsed)) <= TableTime.tolerance
    }
  }

  /// Times that differ by no more are the same.
  static let tolerance: Int64 = 60
  /// The time for which an answer to a question, or the lack of one, counts.
  static let validity: Int64 = 60
  /// Answers without agreement after which the table is not asked again for a while.
  private static let mostContradictions = 3

  private var known: Reading?
  private var claim: Reading?
  private var confirmedUntil = Int64.min
  private var doubt: (kind: Doubt, until: Int64)?
  private var contradictions = 0
  private(set) var isAsking = false

  /// Takes note of an answer's `Date`. `own` is this machine's time.
  mutating func heard(_ date: Int64, own: Int64, elapsed: Int64) {
    let reading = Reading(date: date, elapsed: elapsed)
    let expected = known ?? Reading(date: own, elapsed: elapsed)
    if reading.agrees(with: expected) || claim.map(reading.agrees) == true {
      known = reading
      claim = nil
    } else {
      claim = reading
    }
  }

  mutating func verdict(ttl: Int64, own: Int64, elapsed: Int64) -> Verdict {
    let isPastOwn = ttl <= own
    if let doubt, elapsed < doubt.until { return isPastOwn && doubt.kind == .noDate ? .passed : .alive }
    guard let known else { return isPastOwn ? ask() : .alive }
    guard ttl <= known.date(at: elapsed) else { return .alive }
    return isPastOwn || elapsed < confirmedUntil ? .passed : ask()
  }

  private mutating func ask() -> Verdict {
    if isAsking { return .wait }
    isAsking = true
    return .ask
  }

  /// Takes the answer to a question; `nil` if it tells no time.
  ///
  /// - Returns: a doubt that has come up, and counts for a while.
  mutating func asked(_ date: Int64?, own: Int64, elapsed: Int64) -> Doubt? {
    isAsking = false
    guard let date else {
      doubt = (.noDate, elapsed + Self.validity)
      return .noDate
    }
    heard(date, own: own, elapsed: elapsed)
    let reading = Reading(date: date, elapsed: elapsed)
    if let known, reading.agrees(with: known) {
      confirmedUntil = elapsed + Self.validity
      contradictions = 0
      return nil
    }
    contradictions += 1
    guard contradictions >= Self.mostContradictions else { return nil }
    contradictions = 0
    doubt = (.contradicts, elapsed + Self.validity)
    return .contradicts
  }

  mutating func abandoned() { isAsking = false }
}
