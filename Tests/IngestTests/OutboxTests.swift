import NIOCore
import TestSupport
import Testing

@testable import Ingest

@Suite struct OutboxTests {
  private func pong(_ number: Int) -> Outbox.Message { .pong(ByteBuffer(integer: number)) }

  @Test func `pongs go first, everything keeps its order, and one ping is enough`() {
    var box = Outbox(limit: 10)
    for message in [.text("a"), .ping, pong(1), .ping, .text("b"), pong(2)] { box.add(message) }
    var sent: [Outbox.Message] = []
    while let message = box.next(at: .zero) { sent.append(message) }
    #expect(sent == [pong(1), pong(2), .text("a"), .ping, .text("b")])
    #expect(box.pause(at: .zero) == nil)
  }

  @Test func `the sixth message of a second waits for the first to be a second old`() {
    var box = Outbox(limit: 5, window: .seconds(1))
    for number in 1...7 { box.add(.text("\(number)")) }
    var times: [Duration] = []
    for milliseconds in [0, 0, 100, 200, 200, 300, 999, 1000, 1000, 1000] {
      if box.next(at: .milliseconds(milliseconds)) != nil { times.append(.milliseconds(milliseconds)) }
    }
    #expect(times == [0, 0, 100, 200, 200, 1000, 1000].map { .milliseconds($0) })
    box.add(.ping)
    #expect(box.pause(at: .milliseconds(1000)) == .milliseconds(100))
    #expect(box.pause(at: .milliseconds(1500)) == .zero)
  }

  @Test(arguments: [1, 2, 3])
  func `no second holds more than five, and nothing but pongs is lost`(_ seed: UInt64) {
    var box = Outbox(limit: ExchangeLimits.binance.messagesPerSecond)
    var random = SplitMix64(seed: seed)
    var now = Duration.zero
    var departures: [Duration] = []
    var texts: [String] = []
    for step in 0..<3_000 {
      now += .milliseconds(Int64.random(in: 0...400, using: &random))
      if Bool.random(using: &random) { box.add(pong(step)) }
      if step.isMultiple(of: 4), step < 2_000 { box.add(.text("\(step)")) }
      while let message = box.next(at: now) {
        departures.append(now)
        if case .text(let text) = message { texts.append(text) }
      }
    }
    for (index, time) in departures.enumerated() where index >= 5 {
      #expect(time - departures[index - 5] > .seconds(1))
    }
    #expect(texts == stride(from: 0, to: 2_000, by: 4).map(String.init))
  }

  @Test func `of too many pongs the newest are kept`() {
    var box = Outbox(limit: 100, pongCapacity: 3)
    for number in 1...5 { box.add(pong(number)) }
    let sent = (0..<3).map { _ in box.next(at: .zero) }
    #expect(sent == [pong(3), pong(4), pong(5)])
    let none = box.next(at: .zero)
    #expect(none == nil)
  }
}
