import Base
import NIOCore

/// The source of messages that are no tick.
struct Babble: Sendable {
  private var random: SplitMix64

  /// A message, and how the journal calls it.
  enum Word: Equatable, Sendable {
    case text(String)
    case binary([UInt8])
    /// JSON that stops in the middle.
    case broken(String)
    /// An error that nobody asked for.
    case error(String)

    var name: String {
      switch self {
      case .text: "text"
      case .binary: "binary"
      case .broken: "broken"
      case .error: "error"
      }
    }
  }

  init(seed: UInt64) { random = SplitMix64(seed: seed, name: "babble") }

  mutating func next() -> Word {
    switch random.below(3) {
    case 0: .text(#"{"msg":"please stand by \#(random.below(1000))"}"#)
    case 1: .binary((0..<(1 + random.below(40))).map { _ in UInt8(random.below(256)) })
    default: .broken(#"{"stream":"btcusdt@trade","data":{"e":"trade","E":\#(random.below(1_000_000)),"s":"#)
    }
  }

  mutating func nextError() -> Word {
    let error = SubscriptionError.known[Int(random.below(Int64(SubscriptionError.known.count)))]
    return .error(#"{"error":{"code":\#(error.rawValue),"msg":"\#(error.message)"}}"#)
  }
}
