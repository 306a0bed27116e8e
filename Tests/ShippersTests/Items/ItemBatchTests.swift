import ShippingFixtures
import Testing
import WAL

@testable import Shippers

/// How ticks are grouped into requests.
@Suite struct ItemBatchTests {
  /// One tick for each key; `nil` is one that can be no item.
  private func cut(_ keys: [Int?], bytes: Int = 100) -> [[Int64]] {
    let ticks = ticks(max(1, keys.count))
    let deliveries = keys.indices.map { index in
      let at = offset(Int64(index + 1))
      return Prepared(
        range: at...at, delivery: TickDelivery(offset: at, content: .tick(ticks, index: index)))
    }
    let batches = ItemBatch.cut(deliveries) { delivery in
      guard case .tick(_, let index) = delivery.content, let key = keys[index] else { return nil }
      return ItemBatch.Put(
        offset: delivery.offset, ticks: ticks, index: index, key: key,
        body: [UInt8](repeating: 0, count: bytes))
    }
    return batches.map { batch in
      let offsets = (batch.delivery.puts.map(\.offset) + batch.delivery.others.map(\.offset)).sorted()
      #expect(offsets.first == batch.range.lowerBound && offsets.last == batch.range.upperBound)
      return offsets.map(\.rawValue)
    }
  }

  @Test func `twenty-five go together, and what is left goes as it is`() {
    #expect(cut(Array(1...60)) == [Array(1...25), Array(26...50), Array(51...60)])
    #expect(cut(Array(1...25)) == [Array(1...25)])
    #expect(cut([1]) == [[1]])
    #expect(cut([]) == [])
  }

  @Test func `two ticks of one key never go together`() {
    #expect(cut([1, 2, 3, 2, 3, 1, 1]) == [[1, 2, 3], [4, 5, 6], [7]])
  }

  @Test func `a request has 256 KiB at most, unless one item is longer`() {
    #expect(cut([1, 2, 3, 4, 5], bytes: 100 << 10) == [[1, 2], [3, 4], [5]])
    #expect(cut([1, 2, 3], bytes: 300 << 10) == [[1], [2], [3]])
  }

  @Test func `what can be no item goes along and counts`() {
    #expect(cut([nil, 1, nil, 2, nil]) == [[1, 2, 3, 4, 5]])
    #expect(cut([Int?](repeating: nil, count: 30) + [1]) == [Array(1...25), Array(26...31)])
    #expect(cut(Array(1...25) + [nil]) == [Array(1...25), [26]])
  }
}
