import Base
import WAL

/// The elements of one message that do not become ticks: the first hundred one by one, all others as one that tells
/// their number.
struct RejectedElements {
  /// So many are kept one by one.
  static let most = 100

  private(set) var inputs: [RejectedInput] = []
  private var others = 0
  private var firstOther: Range<Int>?

  mutating func add(_ range: Range<Int>, _ cause: String, in bytes: UnsafeBufferPointer<UInt8>) {
    if inputs.count < Self.most {
      inputs.append(RejectedInput(payload: Array(bytes[range]), cause: cause))
    } else {
      others += 1
      firstOther = firstOther ?? range
    }
  }

  /// Adds what nobody has looked at.
  mutating func add(_ more: EventArray.Others) {
    others += more.count
    firstOther = firstOther ?? more.first
  }

  /// All of them. The payload of the one that stands for others is the first of these: a message that was taken in part
  /// must not be taken once more, should the letter be tried again.
  func all(in bytes: UnsafeBufferPointer<UInt8>) -> [RejectedInput] {
    guard let firstOther else { return inputs }
    let cause =
      "\(Figures.grouped(others)) more elements of one message are no ticks, or are beyond the "
      + "\(Figures.grouped(EventArray.mostElements)) that are looked at; this is the first of them"
    return inputs + [RejectedInput(payload: Array(bytes[firstOther]), cause: cause)]
  }
}
