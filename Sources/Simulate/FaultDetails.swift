import Base

/// The seeded particulars of faults: what is withheld, which ids skip, what a connection babbles.
struct FaultDetails: Sendable {
  var babble: Babble
  /// Whether the next connection that shares streams with another one does not get some of them.
  var withholdsNext = false

  private var random: SplitMix64

  init(seed: UInt64) {
    babble = Babble(seed: seed)
    random = SplitMix64(seed: seed, name: "details")
  }

  /// The streams that a connection is not to get.
  struct Withheld: Equatable {
    var streams: [Int] = []
    /// Whether a random fault chose some of them.
    var isRandom = false
  }

  /// Chooses among streams that another connection has.
  ///
  /// - Parameter isChosen: whether the random fault has met the connection before.
  mutating func withheld(
    among shared: [(name: String, number: Int)], isChosen: Bool, faults: ExchangeFaults
  ) -> Withheld {
    guard !shared.isEmpty else { return Withheld() }
    var withheld = Withheld(isRandom: isChosen || withholdsNext)
    if withheld.isRandom {
      withheld.streams = shared.filter { _ in random.chance(faults.withholdShare) }.map(\.number)
      if withheld.streams.isEmpty, withholdsNext { withheld.streams = [shared[0].number] }
      withholdsNext = false
    }
    withheld.streams += shared.filter { faults.withheldKinds.contains(String(StreamKind.word(in: $0.name))) }
      .map(\.number)
    return withheld
  }

  /// One of these streams, and how many of its messages are left out; nil if there is none.
  mutating func skip(among streams: [Int]) -> (stream: Int, left: Int)? {
    guard !streams.isEmpty else { return nil }
    return (streams[Int(random.below(Int64(streams.count)))], 1 + Int(random.below(3)))
  }
}
