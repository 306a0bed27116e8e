import Base
import Testing

@testable import tickwal

@Suite struct StreamShardTests {
  private func shard(_ text: String) throws -> StreamShard { try Rule<StreamShard>.shard.parse(text) }

  private func owner(of stream: String, among count: Int) throws -> [Int] {
    try (1...count).filter { try shard("\($0)/\(count)").share(of: [stream]) == [stream] }
  }

  /// Made by Python's hashlib: the greatest of `sha256(f"{stream}/{k}").digest()`.
  @Test(
    arguments: [
      ("btcusdt@miniTicker", [2, 2, 5, 8]),
      ("ethusdt@miniTicker", [1, 1, 5, 5]),
      ("bnbusdt@trade", [1, 1, 1, 1]),
      ("solusdt@aggTrade", [1, 3, 3, 3]),
      ("dogeusdt@depth@100ms", [2, 2, 5, 5]),
      ("!miniTicker@arr", [1, 1, 1, 9]),
      ("adausdt@kline_1m", [1, 1, 5, 5]),
      ("ébtc@trade", [1, 3, 3, 3]),
    ] as [(String, [Int])])
  func `a stream belongs to the shard of the greatest hash`(_ stream: String, _ owners: [Int]) throws {
    for (count, expected) in zip([2, 3, 5, 10], owners) {
      #expect(try owner(of: stream, among: count) == [expected])
    }
  }

  @Test func `one shard more takes its part from all others, and moves nothing else`() throws {
    let streams = (0..<600).map { "s\($0)@trade" }
    var before: [String: Int] = [:]
    for number in 1...5 { for name in try shard("\(number)/5").share(of: streams) { before[name] = number } }
    #expect(before.count == streams.count)
    var moved = 0
    for number in 1...6 {
      for name in try shard("\(number)/6").share(of: streams) where before[name] != number {
        #expect(number == 6)
        moved += 1
      }
    }
    #expect((70...130).contains(moved))
  }

  @Test func `one shard has all streams, in their order`() throws {
    #expect(try shard("1/1").share(of: ["b@t", "a@t"]) == ["b@t", "a@t"])
    #expect(try shard(" 2/5 ").description == "2/5")
  }

  @Test(arguments: [
    "0/5", "6/5", "1/0", "0/0", "5", "/5", "2/", "2/5/7", "-1/5", "+1/5", "1.0/2", "a/b", "2 / 5", "1/1001",
    "",
  ])
  func `what is no shard is refused`(_ text: String) {
    #expect(throws: BadText.self) { try Rule<StreamShard>.shard.parse(text) }
  }

  @Test func `doctor says what a shard has, and that it has nothing`() throws {
    let streams = (0..<3_000).map { "s\($0)@trade" }
    let half = DoctorRules.shard(try shard("1/2"), of: streams, perConnection: 1_024)
    #expect(half.verdict == .ok && half.summary.hasSuffix("of 3,000 streams, on 2 connections"))
    let empty = try (1...9).map { DoctorRules.shard(try shard("\($0)/9"), of: ["a@t"], perConnection: 1_024) }
    #expect(empty.count { $0.verdict == .failed && $0.summary.hasSuffix("has 0 of 1 stream") } == 8)
  }
}
