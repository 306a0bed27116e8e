import AWS
import ShippingFixtures

@testable import Shippers
@testable import WAL

/// The tick that a walk appends at an offset: what becomes of it follows from its number alone.
struct ModelTick {
  let number: Int64

  init(_ number: Int64) { self.number = number }

  /// The table never takes it.
  var isRefused: Bool { number % 23 == 7 && !isExpired }
  /// Its item would be gone at once.
  var isExpired: Bool { number % 19 == 5 }

  static let tableClock = someTime / 1_000_000

  /// One in a hundred seconds, so that hours change; microseconds.
  var receivedAt: Int64 {
    someTime + number * 100_000_000 - (isExpired ? 3 * 86_400_000_000 : 0)
  }

  var payload: String { "{\"n\":\(number)}" }

  static func batch(_ numbers: Range<Int64>) -> TickBatch {
    var batch = TickBatch()
    for tick in numbers.map(ModelTick.init) {
      batch.append(receivedAt: tick.receivedAt, eventTime: nil, stream: "btcusdt@test", payload: tick.payload)
    }
    return batch
  }

  /// Which tick an item was made from.
  static func number(of item: Item) -> Int64? {
    item.attributes["data"].flatMap { Int64($0.drop { !$0.isNumber }.prefix { $0.isNumber }) }
  }
}
