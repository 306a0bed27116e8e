import WAL

/// Consecutive ticks whose items go out with one request.
struct ItemBatch: Sendable {
  /// A tick with its item's part of the request.
  struct Put: Sendable {
    let offset: Offset
    let ticks: TickBatch
    let index: Int
    /// A hash of the item's key.
    let key: Int
    let body: [UInt8]

    var entry: TickBatch.Entry { ticks.entries[index] }
    var delivery: TickDelivery { TickDelivery(offset: offset, content: .tick(ticks, index: index)) }
  }

  /// As many as BatchWriteItem takes.
  ///
  /// Reference: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_BatchWriteItem.html
  static let mostItems = 25
  /// Batches that may have started without being committed: together they hold no more items than may be without.
  static let mostUncommitted = TickSource.pageTicks / mostItems
  /// Only the body for a single item is longer. The service takes 16 MB; many requests are in flight, and memory is to
  /// stay small.
  static let mostBytes = 256 << 10

  /// No two of them have one key.
  private(set) var puts: [Put] = []
  /// Ticks that can be no item, and rows that could not be read.
  private(set) var others: [TickDelivery] = []
  private var bytes = 0

  private var count: Int { puts.count + others.count }
  private var range: OffsetRange? {
    let firsts = [puts.first?.offset, others.first?.offset].compactMap { $0 }
    let lasts = [puts.last?.offset, others.last?.offset].compactMap { $0 }
    guard let first = firsts.min(), let last = lasts.max() else { return nil }
    return first...last
  }

  private func takes(_ put: Put) -> Bool {
    count < Self.mostItems && (puts.isEmpty || bytes + put.body.count <= Self.mostBytes)
      && !puts.contains { $0.key == put.key }
  }

  private mutating func append(_ put: Put) {
    puts.append(put)
    bytes += put.body.count
  }

  /// Groups ticks in their order, as many to a batch as may be.
  ///
  /// - Parameter put: makes a tick's put; `nil` for one that can be no item.
  static func cut(
    _ ticks: [Prepared<TickDelivery>], put: (TickDelivery) -> Put?
  ) -> [Prepared<ItemBatch>] {
    var batches: [ItemBatch] = []
    var batch = ItemBatch()
    for tick in ticks {
      if let put = put(tick.delivery) {
        if !batch.takes(put) {
          batches.append(batch)
          batch = ItemBatch()
        }
        batch.append(put)
      } else {
        if batch.count == mostItems {
          batches.append(batch)
          batch = ItemBatch()
        }
        batch.others.append(tick.delivery)
      }
    }
    batches.append(batch)
    return batches.compactMap { batch in batch.range.map { Prepared(range: $0, delivery: batch) } }
  }
}
