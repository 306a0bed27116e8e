import Base
import NIOCore

/// Decides which attempts to connect are let in.
struct Doorkeeper: Sendable {
  private let isStrict: Bool
  private var random: SplitMix64
  private var attempts: [String: SlidingCount] = [:]
  private var refusalsLeft = 0

  /// Addresses that are remembered; a clean slate is made for more.
  private static let mostAddresses = 10_000

  init(isStrict: Bool, seed: UInt64) {
    self.isStrict = isStrict
    random = SplitMix64(seed: seed, name: "doorkeeper")
  }

  /// The status to refuse an attempt with, and the rule that it broke, if any.
  struct Refusal: Equatable {
    var status: Int
    var rule: HouseRules.Rule?
  }

  /// Counts an attempt; returns how many this address made in the span of the rules.
  mutating func attempt(from address: String, at now: NIODeadline) -> Int {
    if attempts.count >= Self.mostAddresses { attempts.removeAll() }
    return attempts[address, default: SlidingCount(span: HouseRules.attemptSpan)].add(at: now, earliest: now)
  }

  /// Refuses so many of the next attempts. They do not add up while nobody tries.
  mutating func refuseNext(_ count: Int) { refusalsLeft = max(refusalsLeft, count) }

  /// Nil for an attempt that is let in. `attempts` is what ``attempt(from:at:)`` returned for it.
  mutating func judge(attempts: Int, faults: ExchangeFaults) -> Refusal? {
    if isStrict, attempts > HouseRules.attempts { return Refusal(status: 429, rule: .attempts) }
    if refusalsLeft > 0 {
      refusalsLeft -= 1
      return Refusal(status: faults.refuseWithStatus ?? 503)
    }
    guard let status = faults.refuseWithStatus, random.chance(faults.refuseShare) else { return nil }
    return Refusal(status: status)
  }

  /// Whether a SUBSCRIBE request gets an error.
  mutating func refusesSubscribe(faults: ExchangeFaults) -> Bool {
    random.chance(faults.refuseSubscribeShare)
  }
}
