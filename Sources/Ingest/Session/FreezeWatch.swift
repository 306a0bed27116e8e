/// The watch over whether the feed's own loop runs: it finds the stretches of time in which it did not, because the
/// process was stopped, the container paused, or the machine suspended.
///
/// Pure. To be told of each turn of the loop, and at least one every ``beat``.
struct FreezeWatch: Sendable {
  /// The clocks of one turn.
  struct Clocks: Equatable, Sendable {
    /// Stands still while the machine is suspended.
    var monotonic: Duration
    /// Of the same kind, but goes on meanwhile.
    var boot: Duration
  }

  /// A stretch in which the loop did not turn.
  struct Freeze: Equatable, Sendable {
    /// The last turn before it, on the monotonic clock.
    var since: Duration
    var length: Duration
  }

  /// The longest time between two turns of the loop while all is well.
  static let beat = Duration.milliseconds(250)
  /// The lateness of a turn with which the loop counts as frozen.
  let tolerance: Duration

  private var last: Clocks?

  init(tolerance: Duration = .seconds(1)) { self.tolerance = tolerance }

  /// - Returns: the freeze that this turn ends, if there was one.
  mutating func turn(_ clocks: Clocks) -> Freeze? {
    defer { last = clocks }
    guard let last else { return nil }
    let ran = clocks.monotonic - last.monotonic
    let passed = clocks.boot - last.boot
    guard ran >= Self.beat + tolerance || passed - ran >= tolerance else { return nil }
    return Freeze(since: last.monotonic, length: max(ran, passed))
  }
}
