import AWS
import ShippingFixtures
import Testing
import WAL

@testable import Shippers

@Suite struct ExpectedItemTests {
  @Test(arguments: [
    ("95896.00000000", "95896"), ("0.10", "1e-1"), ("-0.0", "0"), ("007", "7"), ("1E+3", "1000"),
    ("+5", "5.0"), ("123456789012345678901234567890.5", "123456789012345678901234567890.50"),
  ])
  func `equal numbers have one form`(one: String, other: String) {
    #expect(DecimalText.canonical(one) != nil)
    #expect(DecimalText.canonical(one) == DecimalText.canonical(other))
  }

  @Test(arguments: [("1", "10"), ("1", "-1"), ("0.1", "0.01"), ("1e2", "1e3"), ("12", "21")])
  func `other numbers have others`(one: String, other: String) {
    #expect(DecimalText.canonical(one) != DecimalText.canonical(other))
  }

  @Test(arguments: ["", "-", ".", "1.2.3", "1e", "0x1", "NaN", "1 "])
  func `what is no number has none`(text: String) {
    #expect(DecimalText.canonical(text) == nil)
  }

  private func item() throws -> ExpectedItem {
    var batch = TickBatch()
    batch.append(
      receivedAt: someTime, eventTime: 1, stream: "btcusdt@miniTicker",
      payload: """
        {"e":"24hrMiniTicker","E":1,"s":"B\\u00e9","c":"1.50","o":"2","h":"3","l":"4","v":"5","q":"6"}
        """)
    return try ExpectedItem(batch, batch.entries[0], retentionDays: 1)
  }

  @Test func `its key and texts are those that are written`() throws {
    let item = try item()
    #expect(
      item.key == ItemKey(streamType: "btcusdt@miniTicker", isoTimestamp: "1970-01-01T00-00-00.001000Z"))
    #expect(item.attributes[.symbol] == "Bé")
    #expect(item.attributes[.ttlDays] == "1795324400")
    #expect(item.attributes.count == 10)
  }

  @Test func `what differs is named and what is more is not`() throws {
    let item = try item()
    var found = item.attributes
    found[.closePrice] = "1.5"
    #expect(item.compared(with: found) == .agrees)
    found[.data] = "somebody's"
    #expect(item.compared(with: found) == .agrees)
    found[.ttlDays] = "1"
    #expect(item.compared(with: found) == .agreesButTTL)
    found[.closePrice] = "1.51"
    #expect(item.compared(with: found) == .differs([.closePrice, .ttlDays]))
    found[.closePrice] = nil
    #expect(item.compared(with: found) == .differs([.closePrice, .ttlDays]))
    // Texts are compared as they are, digits or not.
    found = item.attributes
    found[.symbol] = "Be"
    #expect(item.compared(with: found) == .differs([.symbol]))
  }
}
