import LogFixtures
import Testing

@testable import WAL

@Suite struct TickBatchTests {
  @Test func `a tick of another batch is copied with its times and texts`() {
    let other = ticks(5)
    var batch = ticks(1, from: 100)
    batch.append(other.entries[3], of: other)
    batch.append(other.entries[2], of: other)
    #expect(lines(batch) == lines(ticks(1, from: 100)) + [lines(other)[3], lines(other)[2]])
    #expect(batch.byteCount == ticks(1, from: 100).byteCount + ticks(2, from: 3).byteCount)
  }

  @Test func `a whole batch is appended in order`() {
    var batch = TickBatch()
    batch.append(TickBatch())
    #expect(batch.isEmpty)
    batch.append(ticks(3))
    batch.append(TickBatch())
    batch.append(ticks(4, from: 10))
    #expect(lines(batch) == lines(ticks(3)) + lines(ticks(4, from: 10)))
    batch.append(receivedAt: 1, eventTime: nil, stream: "s", payload: "{}")
    #expect(lines(batch).last == "1 - s {}")
  }
}
