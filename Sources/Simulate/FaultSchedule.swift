import Base

/// The schedule of faults, which comes next and when: seeded, so that a run can be rehearsed again.
struct FaultSchedule: Sendable {
  private let every: Duration
  private let kinds: [FaultKind]
  private var random: SplitMix64

  /// A fault and whom it meets.
  struct Choice: Equatable, Sendable {
    var kind: FaultKind
    /// Place among the connections that are well; nil for what concerns no single one.
    var victim: Int?
    /// How many attempts are refused.
    var refusals = 0
  }

  init(every: Duration, kinds: [FaultKind], seed: UInt64) {
    self.every = every
    self.kinds = kinds
    random = SplitMix64(seed: seed, name: "faults")
  }

  /// The time to the next fault: between half of what was asked for and one and a half.
  mutating func pause() -> Duration { every * (0.5 + random.fraction()) }

  /// Nil if the fault drawn needs a connection and there is none.
  mutating func choose(among connections: Int) -> Choice? {
    guard !kinds.isEmpty else { return nil }
    let kind = kinds[Int(random.below(Int64(kinds.count)))]
    if kind == .refuse { return Choice(kind: kind, victim: nil, refusals: 1 + Int(random.below(3))) }
    if kind.isPending { return Choice(kind: kind, victim: nil) }
    guard connections > 0 else { return nil }
    return Choice(kind: kind, victim: Int(random.below(Int64(connections))))
  }
}
