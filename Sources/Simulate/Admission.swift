import Base
import NIOCore

/// The decision which attempts to connect, and which subscriptions, are let in.
struct Admission: Sendable {
  private let isStrict: Bool
  private var random: SplitMix64
  private var attempts: [String: SlidingCount] = [:]
  private var refusalsLeft = 0
  private var subscribes = 0
  private var awaiting: Set<FaultKind> = []

  /// Addresses that are remembered; a clean slate is made for more.
  private static let mostAddresses = 10_000

  init(isStrict: Bool, seed: UInt64) {
    self.isStrict = isStrict
    random = SplitMix64(seed: seed, name: "admission")
  }

  /// The status to refuse an attempt with, and the rule that it broke, if any.
  struct Denial: Equatable {
    var status: Int
    var rule: ClientLimits.Rule?
  }

  /// Counts an attempt; returns how many this address made in the span of the rules.
  mutating func attempt(from address: String, at now: NIODeadline) -> Int {
    if attempts.count >= Self.mostAddresses { attempts.removeAll() }
    return attempts[address, default: SlidingCount(span: ClientLimits.attemptSpan)].add(
      at: now, earliest: now)
  }

  /// Refuses so many of the next attempts. They do not add up while nobody tries.
  mutating func refuseNext(_ count: Int) { refusalsLeft = max(refusalsLeft, count) }

  /// Nil for an attempt that is let in. `attempts` is what ``attempt(from:at:)`` returned for it.
  mutating func judge(attempts: Int, faults: ExchangeFaults) -> Denial? {
    if isStrict, attempts > ClientLimits.attempts { return Denial(status: 429, rule: .attempts) }
    if refusalsLeft > 0 {
      refusalsLeft -= 1
      return Denial(status: faults.refuseWithStatus ?? 503)
    }
    guard let status = faults.refuseWithStatus, random.chance(faults.refuseShare) else { return nil }
    return Denial(status: status)
  }

  /// What becomes of a SUBSCRIBE request.
  enum Answer: Equatable {
    case granted
    case refused(SubscriptionError)
    /// Neither answered nor granted.
    case none
  }

  /// Refuses the next SUBSCRIBE request, or leaves it without an answer.
  mutating func meetNextSubscribe(with kind: FaultKind) { awaiting.insert(kind) }

  /// The answer to a SUBSCRIBE request, and the random fault that it met, if any.
  mutating func judge(subscribe names: [String], faults: ExchangeFaults) -> (
    answer: Answer, fault: FaultKind?
  ) {
    subscribes += 1
    if !faults.badStreams.isDisjoint(with: names) { return (.refused(.invalidStream), nil) }
    if awaiting.remove(.muteSubscribe) != nil { return (.none, .muteSubscribe) }
    if awaiting.remove(.refuseSubscribe) != nil {
      let error = SubscriptionError.known[Int(random.below(Int64(SubscriptionError.known.count)))]
      return (.refused(error), .refuseSubscribe)
    }
    if subscribes == faults.mutedSubscribe { return (.none, nil) }
    return (random.chance(faults.refuseSubscribeShare) ? .refused(faults.subscribeError) : .granted, nil)
  }
}
