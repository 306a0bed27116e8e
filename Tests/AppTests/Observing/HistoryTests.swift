import Testing

@testable import Observe
@testable import tickwal

@Suite struct HistoryTests {
  private func moment(
    _ seconds: Int, head: Int64 = 0, delays: [Int64]? = nil, consumers: [String: History.Consumer] = [:]
  ) -> History.Moment {
    History.Moment(
      at: Int64(seconds) * 1_000_000, time: .seconds(seconds), head: head,
      delays: delays.map { Distribution(bounds: [0.001, 0.002], counts: $0) }, consumers: consumers,
      available: 1_000)
  }

  @Test func `an hour is kept, however long it goes on`() {
    var history = History()
    for step in 0..<1_000 { history.add(moment(step * 10, head: Int64(step) * 50)) }
    #expect(history.samples.count == 360)
    #expect(history.samples.first?.at == 6_400_000_000 && history.samples.last?.at == 9_990_000_000)
    #expect(history.samples.allSatisfy { $0.rate == 5 })
  }

  @Test func `a rate is of the time since the moment before, and the first has none`() {
    var history = History()
    history.add(moment(0, head: 100))
    history.add(moment(10, head: 350))
    #expect(history.samples.map(\.rate) == [nil, 25])
  }

  @Test
  func `nothing is told of a time in which nobody looked, of a clock that stood still, or less than nothing`()
  {
    var history = History()
    history.add(moment(0, head: 100))
    history.add(moment(90, head: 9_100))
    history.add(moment(90, head: 9_200))
    history.add(moment(100, head: 50))
    #expect(history.samples.map(\.rate) == [nil, nil, nil, 0])
  }

  @Test func `delays are those since the moment before`() throws {
    var history = History()
    history.add(moment(0, delays: [100, 0, 0]))
    history.add(moment(10, delays: [100, 10, 0]))
    history.add(moment(20, delays: [100, 10, 0]))
    #expect(history.samples[0].delayMedian == nil)
    #expect(try #require(history.samples[1].delayMedian) == 0.0015)
    #expect(history.samples[2].delayMedian == nil)
  }

  @Test func `each column has a value for each sample, whoever is there`() {
    var history = History()
    history.add(moment(0, consumers: ["s3": .init(lag: 7, age: 1.25)]))
    history.add(moment(10, consumers: ["dynamodb": .init(lag: 0, age: 0)]))
    let text = history.document.text
    #expect(text.contains(#""at":[0,10000000]"#))
    #expect(text.contains(#""dynamodb":{"lag":[null,0],"age_seconds":[null,0.0]}"#))
    #expect(text.contains(#""s3":{"lag":[7,null],"age_seconds":[1.25,null]}"#))
  }
}
