import ShippingFixtures
import TestSupport

@testable import Shippers
@testable import WAL

/// What one process is to do, and how it ends.
struct ModelLife {
  let isLast: Bool
  let seed: UInt64
  let end: ModelProcess.End
  let loss: ModelProcess.Loss
  let consumers: Set<ConsumerName>
  let steps: Int
  /// Whether it ships what there is before it ends, if it does not end earlier.
  let isDraining: Bool
  /// Whether it then closes the log.
  let isOrderly: Bool
  let objects: ObjectSettings
  let items: ItemSettings

  init(isFirst: Bool, isLast: Bool, using random: inout SplitMix64) {
    self.isLast = isLast
    seed = random.next()
    switch Int.random(in: 0..<5, using: &random) {
    case _ where isLast: end = .never
    case 0, 1: end = .call(Int.random(in: 1...60, using: &random), isAfter: Bool.random(using: &random))
    case 2, 3: end = .change(Int.random(in: 1...250, using: &random))
    default: end = .never
    }
    loss = [nil, nil, .all, .some, .torn, DiskModel.Loss.none][Int.random(in: 0..<6, using: &random)]
    consumers =
      switch Int.random(in: 0..<8, using: &random) {
      case 0 where !isLast: [.s3]
      case 1 where !isLast: [.dynamodb]
      default: [.s3, .dynamodb]
      }
    steps = Int.random(in: 3...12, using: &random)
    isDraining = isLast || Bool.random(using: &random)
    isOrderly = Bool.random(using: &random)
    objects = .test(
      rows: Int.random(in: 2...15, using: &random), concurrency: Int.random(in: 1...4, using: &random))
    items = ItemSettings(
      table: "t", writeMode: Bool.random(using: &random) ? .batch : .update,
      concurrency: [1, 3, 8][Int.random(in: 0..<3, using: &random)])
  }
}
