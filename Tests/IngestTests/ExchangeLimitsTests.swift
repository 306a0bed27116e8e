import NIOCore
import Testing

@testable import Ingest
@testable import Simulate

@Suite struct ExchangeLimitsTests {
  @Test func `the stand-in enforces the limits that the feed keeps to`() {
    let limits = ExchangeLimits.binance
    #expect(ClientLimits.streams == limits.streamsPerConnection)
    #expect(ClientLimits.attempts == limits.attempts)
    #expect(ClientLimits.attemptSpan == TimeAmount(limits.attemptWindow))
    #expect(ClientLimits.messages == limits.messagesPerSecond)
    #expect(ClientLimits.messageSpan == .seconds(1))
  }

  @Test func `a connection is replaced before the exchange ends it`() {
    #expect(ExchangeLimits.binance.replacementAge < ExchangeLimits.binance.connectionAge)
    #expect(FeedSession.Limits().maximumAge == ExchangeLimits.binance.replacementAge)
  }
}
