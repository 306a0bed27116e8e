import AWS
import Base
import Foundation
import ShippingFixtures
import TestSupport
import Testing
import Ticks
import WAL

@testable import Shippers

/// The bodies of UpdateItem, and of the same item's put, read by another JSON reader and carried out.
@Suite struct UpdateItemTests {
  private static let miniTicker = """
    {"e":"24hrMiniTicker","E":1665778598188,"s":"BTCUSDT","c":"19182.10000000","o":"19478.02000000",\
    "h":"19951.87000000","l":"19100.01000000","v":"363872.29609000","q":"7119945056.15496440"}
    """
  private static let ttl = someTime / 1_000_000 + 86_400

  private func item(
    _ payload: String, stream: String = "btcusdt@miniTicker", receivedAt: Int64 = someTime, days: Int = 1
  ) throws -> Item {
    var batch = TickBatch()
    batch.append(receivedAt: receivedAt, eventTime: nil, stream: stream, payload: payload)
    let item = try Item(ScriptedTable().request(batch, batch.entries[0], retentionDays: days))
    let encoder = PutItemEncoder(table: "t")
    let put = try ScriptedTable().keyed(batch, batch.entries[0], retentionDays: days, encoder.put).request
    #expect(try Item.puts(encoder.encode([put])) == [item])
    return item
  }

  @Test func `a mini ticker has the old pipeline's attributes and types`() throws {
    let item = try item(Self.miniTicker)
    #expect(item.table == "t")
    #expect(item.key == "btcusdt@miniTicker 2022-10-14T20-16-38.188000Z")
    #expect(
      item.attributes == [
        "event_type": "S:24hrMiniTicker", "event_time": "N:1665778598188", "symbol": "S:BTCUSDT",
        "close_price": "N:19182.10000000", "open_price": "N:19478.02000000", "high_price": "N:19951.87000000",
        "low_price": "N:19100.01000000", "total_traded_volume": "N:363872.29609000",
        "total_traded_base_asset_volume": "N:7119945056.15496440", "ttl_days": "N:\(Self.ttl)",
      ])
  }

  @Test func `the TTL counts from the receipt whatever the time is`() throws {
    #expect(try item(Self.miniTicker, receivedAt: 1_000_000, days: 1).attributes["ttl_days"] == "N:86401")
    #expect(try item(Self.miniTicker, receivedAt: 1_999_999, days: 30).attributes["ttl_days"] == "N:2592001")
  }

  @Test(arguments: [
    ("{\"e\":\"trade\",\"E\":1,\"s\":\"A\",\"t\":12345}", "x@trade", "#12345"),
    ("{\"e\":\"aggTrade\",\"E\":1,\"s\":\"A\",\"a\":77,\"t\":1}", "x@aggTrade", "#77"),
    ("{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"A\",\"U\":1,\"u\":160}", "x@depth", "#160"),
    ("{\"e\":\"depthUpdate\",\"E\":1,\"s\":\"A\",\"u\":161}", "x@depth@100ms", "#161"),
    ("{\"e\":\"bookTicker\",\"E\":1,\"s\":\"A\",\"u\":400}", "x@bookTicker", "#400"),
  ])
  func `the sort key ends with the exchange's own ID`(payload: String, stream: String, suffix: String) throws
  {
    let item = try item(payload, stream: stream)
    #expect(item.key == "\(stream) 1970-01-01T00-00-00.001000Z\(suffix)")
    #expect(item.attributes["data"] == "S:\(payload)")
  }

  @Test func `a spot book ticker is named by its stream and timed by its receipt`() throws {
    let payload =
      "{\"u\":400900217,\"s\":\"BNBUSDT\",\"b\":\"25.35\",\"B\":\"31.2\",\"a\":\"25.36\",\"A\":\"40.6\"}"
    let item = try item(payload, stream: "bnbusdt@bookTicker")
    #expect(item.key == "bnbusdt@bookTicker 2026-11-21T05-13-20.123456Z#400900217")
    #expect(
      item.attributes == [
        "event_type": "S:bookTicker", "event_time": "N:1795238000123", "symbol": "S:BNBUSDT",
        "data": "S:\(payload)", "ttl_days": "N:\(Self.ttl)",
      ])
  }

  @Test(arguments: [
    "{\"e\":\"kline\",\"E\":1,\"s\":\"A\",\"k\":{\"t\":1}}", "{\"e\":\"trade\",\"E\":1,\"t\":\"1\"}",
    "{\"e\":\"trade\",\"E\":1,\"t\":1.5}", "{\"e\":\"24hrMiniTicker\",\"E\":1,\"s\":\"A\"}",
  ])
  func `any other event's sort key ends with its hash`(payload: String) throws {
    let hash = SHA256.hash(Array(payload.utf8)).hex.prefix(16)
    let item = try item(payload, stream: "x@y")
    #expect(item.key == "x@y 1970-01-01T00-00-00.001000Z#\(hash)")
    #expect(item.attributes["data"] == "S:\(payload)")
  }

  @Test(arguments: EventKind.all)
  func `each kind of event has its key`(kind: EventKind) throws {
    for event in kind.events {
      let item = try item(event.payload, stream: event.name)
      let time = Timestamp.dashed(microseconds: event.microseconds ?? someTime)
      switch event.id {
      case .none: #expect(item.key == "\(event.name) \(time)")
      case .exchange(let id): #expect(item.key == "\(event.name) \(time)#\(id)")
      case .hash:
        let hash = SHA256.hash(Array(event.payload.utf8)).hex.prefix(16)
        #expect(item.key == "\(event.name) \(time)#\(hash)")
      }
      #expect(item.attributes["event_type"] == "S:\(event.type)")
      #expect(item.attributes["event_time"] == "N:\(event.milliseconds ?? someTime / 1_000)")
      #expect(item.attributes["symbol"] == event.symbol.map { "S:\($0)" })
    }
  }

  @Test func `no two events of a kind without arrays share a key`() throws {
    let book = EventKind.all.filter { $0.stream == "!bookTicker" }.flatMap(\.events)
    let keys = try book.map { try item($0.payload, stream: $0.name).key }
    #expect(book.count > 1 && Set(keys).count == keys.count)
  }

  @Test func `two events of one millisecond are two items`() throws {
    let first = try item("{\"e\":\"kline\",\"E\":1,\"x\":1}")
    let second = try item("{\"e\":\"kline\",\"E\":1,\"x\":2}")
    #expect(first.key != second.key)
  }

  private static func miniTicker(_ close: String) -> String {
    miniTicker.replacing("19182.10000000", with: close)
  }

  @Test(arguments: [
    "NaN", "Infinity", "-Infinity", "", " 1", "1 ", "0x10", "1,5", "1e", "1e126", "-1E126", "1e-131", "1.",
    ".5", "+1",
    "1_0", "1\\u0030", "٣", String(repeating: "9", count: 39), "0." + String(repeating: "1", count: 39),
    "1e999999999999999999999",
  ])
  func `a mini ticker with a number that is none is written as another event`(close: String) throws {
    let payload = Self.miniTicker(close)
    let hash = SHA256.hash(Array(payload.utf8)).hex.prefix(16)
    let item = try item(payload)
    #expect(item.key == "btcusdt@miniTicker 2022-10-14T20-16-38.188000Z#\(hash)")
    #expect(
      item.attributes == [
        "event_type": "S:24hrMiniTicker", "event_time": "N:1665778598188", "symbol": "S:BTCUSDT",
        "data": "S:\(payload)", "ttl_days": "N:\(Self.ttl)",
      ])
  }

  @Test(arguments: [
    "0", "-0.0", "007", "1e125", "-9.9999999999999999999999999999999999999E+125", "1E-130", "95896.00000000",
    String(repeating: "9", count: 38), "0." + String(repeating: "0", count: 100) + "1",
    "1" + String(repeating: "0", count: 100), "0e999999",
  ])
  func `a number that the table holds stays one`(close: String) throws {
    let item = try item(Self.miniTicker(close))
    #expect(item.attributes["close_price"] == "N:\(close)")
    #expect(item.key == "btcusdt@miniTicker 2022-10-14T20-16-38.188000Z")
  }

  @Test func `half a pair of surrogates is replaced`() throws {
    let item = try item(#"{"e":"kline","E":1,"s":"A\ud800\n"}"#)
    #expect(item.attributes["symbol"] == "S:A\u{fffd}\n")
  }

  private func flaw(_ payload: String, stream: String = "x@y") throws -> String? {
    var batch = TickBatch()
    batch.append(receivedAt: someTime, eventTime: nil, stream: stream, payload: payload)
    return try batch.bytes.withUnsafeBufferPointer { bytes in
      let tick = batch.entries[0]
      let event = try TickEvent(
        stream: UnsafeBufferPointer(rebasing: bytes[tick.stream]),
        payload: UnsafeBufferPointer(rebasing: bytes[tick.payload]), receivedAt: tick.receivedAt)
      return DynamoLimits.flaw(ItemAttributes(event, retentionDays: 1))
    }
  }

  @Test func `what no table takes is known before it is sent`() throws {
    func padded(_ count: Int) -> String { #"{"p":"\#(String(repeating: "x", count: count))"}"# }
    #expect(try flaw("{}", stream: "") == "stream_type is empty, and a key must not be")
    #expect(try flaw("{}", stream: String(repeating: "x", count: 2_048)) == nil)
    #expect(try flaw("{}", stream: String(repeating: "é", count: 1_025))?.contains("2050 bytes") == true)
    #expect(try flaw(padded(400 << 10)) != nil)
    #expect(try flaw(padded((400 << 10) - 300)) == nil)
    // Half a megabyte of symbol is there twice.
    #expect(try flaw(#"{"s":"\#(String(repeating: "x", count: 250 << 10))"}"#) != nil)
    #expect(try flaw(#"{"s":"\#(String(repeating: "x", count: 190 << 10))"}"#) == nil)
  }

  @Test func `escapes and other scripts come through`() throws {
    let payload = "{\"e\":\"k\\u0065y\\n\\\"\",\"E\":1,\"s\":\"币安😀\\/\\\\\",\"x\":\"\\u0007\\t ü\"}"
    let item = try item(payload, stream: "币\"安\\@x\u{1}")
    #expect(item.key.hasPrefix("币\"安\\@x\u{1} "))
    #expect(item.attributes["event_type"] == "S:key\n\"")
    #expect(item.attributes["symbol"] == "S:币安😀/\\")
    #expect(item.attributes["data"] == "S:\(payload)")
  }

  @Test func `what an event lacks is left out`() throws {
    let item = try item("{}", stream: "nothing")
    #expect(Set(item.attributes.keys) == ["event_time", "data", "ttl_days"])
  }

  @Test func `a payload that is no object makes no request`() {
    var batch = TickBatch()
    batch.append(receivedAt: 0, eventTime: nil, stream: "a", payload: "[1]")
    #expect(throws: (any Error).self) {
      try ScriptedTable().request(batch, batch.entries[0], retentionDays: 1)
    }
  }
}
