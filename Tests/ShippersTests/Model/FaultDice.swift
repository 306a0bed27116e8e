import ShippingFixtures
import TestSupport

/// What goes wrong with a call: follows from the seed, the call and how often it was made, whatever the order
/// in which calls come.
struct FaultDice: Sendable {
  enum Fault: Equatable, Sendable {
    case none
    /// Nothing was done.
    case refused
    case throttled
    case conflict
    /// It was done, and the answer is lost.
    case answerLost
    /// A 412 of an upload, where nothing is.
    case falsePrecondition
    /// Something else is under the key, until it was looked at so often.
    case taken(looks: Int)
  }

  struct Roll: Equatable, Sendable {
    var fault: Fault
    /// How often others go first, before it is done and before it is answered.
    var delays: (Int, Int)

    static func == (left: Roll, right: Roll) -> Bool {
      left.fault == right.fault && left.delays == right.delays
    }
  }

  let seed: UInt64

  /// - Parameter attempt: from 1; from the seventh on all goes well.
  func roll(_ call: String, attempt: Int) -> Roll {
    var random = SplitMix64(seed: hash(call) &+ UInt64(attempt) &* 0x9E37_79B9)
    let delays = (Int.random(in: 0..<24, using: &random), Int.random(in: 0..<24, using: &random))
    guard attempt < 7 else { return Roll(fault: .none, delays: (0, 0)) }
    let fault: Fault =
      switch Int.random(in: 0..<24, using: &random) {
      case 0, 1: .refused
      case 2: .throttled
      case 3: .conflict
      case 4, 5, 6: .answerLost
      case 7: .falsePrecondition
      case 8 where attempt == 1: .taken(looks: Int.random(in: 1...3, using: &random))
      default: .none
      }
    return Roll(fault: fault, delays: delays)
  }

  /// Whether something happens that one in so many times does.
  func happens(_ what: String, oneIn count: UInt64) -> Bool { hash(what) % count == 0 }

  private func hash(_ text: String) -> UInt64 {
    var random = SplitMix64(
      seed: text.utf8.reduce(seed ^ 0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 })
    return random.next()
  }
}
