import NIOCore

/// All made-up symbols, and the events about them as the exchange writes them.
///
/// Deterministic: the same seed, the same requests in the same order at the same times give the same bytes.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
struct MarketData {
  private let seed: UInt64
  private let listedSymbols: [String]
  private let isFutures: Bool
  private var instruments: [String: Int] = [:]
  private var all: [Instrument] = []
  private var candles: [KlineKey: Candle] = [:]
  /// The last id in each stream of depth updates: each goes on where it stopped itself.
  private var lastUpdates: [DepthKey: Int64] = [:]
  private var text = EventText()

  private struct KlineKey: Hashable {
    var instrument: Int
    var interval: KlineInterval
  }

  private struct DepthKey: Hashable {
    var instrument: Int
    var isFast: Bool
  }

  /// `listedSymbols` are in the array messages even if nobody asked for them by name. Futures number their events
  /// in another way: depth updates name the last id before them (`pu`), trades leave ids out.
  init(seed: UInt64, listedSymbols: [String], isFutures: Bool = false) {
    self.seed = seed
    self.isFutures = isFutures
    self.listedSymbols = listedSymbols
  }

  /// The next event of a stream as JSON. The buffer is the market's own and changes with the next call.
  mutating func nextEvent(_ kind: StreamKind, symbol: String, at milliseconds: Int64) -> ByteBuffer {
    text.clear()
    if kind == .allMiniTickers {
      allMiniTickers(at: milliseconds)
      return text.buffer
    }
    let place = instrument(symbol, at: milliseconds)
    all[place].advance(at: milliseconds)
    switch kind {
    case .miniTicker, .allMiniTickers: miniTicker(all[place], at: milliseconds)
    case .ticker: ticker(all[place], at: milliseconds)
    case .trade: trade(place, at: milliseconds)
    case .aggregateTrade: aggregateTrade(place, at: milliseconds)
    case .bookTicker: bookTicker(place)
    case .depth(let isFast): depth(place, isFast: isFast, at: milliseconds)
    case .kline(let interval): kline(place, interval, at: milliseconds)
    }
    return text.buffer
  }

  private mutating func instrument(_ symbol: String, at milliseconds: Int64) -> Int {
    if let place = instruments[symbol] { return place }
    all.append(Instrument(symbol: symbol, seed: seed, at: milliseconds))
    instruments[symbol] = all.count - 1
    return all.count - 1
  }

  private mutating func allMiniTickers(at milliseconds: Int64) {
    for symbol in listedSymbols { _ = instrument(symbol, at: milliseconds) }
    text.literal("[")
    for place in all.indices {
      if place > 0 { text.literal(",") }
      all[place].advance(at: milliseconds)
      miniTicker(all[place], at: milliseconds)
    }
    text.literal("]")
  }

  private mutating func head(_ event: StaticString, _ instrument: Instrument, at milliseconds: Int64) {
    text.literal(event)
    text.integer(milliseconds)
    text.literal(",\"s\":\"")
    text.text(instrument.symbol)
    text.literal("\"")
  }

  private mutating func miniTicker(_ instrument: Instrument, at milliseconds: Int64) {
    head("{\"e\":\"24hrMiniTicker\",\"E\":", instrument, at: milliseconds)
    amount(",\"c\":", instrument.lastTrade.price)
    amount(",\"o\":", instrument.day.open)
    amount(",\"h\":", instrument.day.high)
    amount(",\"l\":", instrument.day.low)
    amount(",\"v\":", instrument.day.volume)
    amount(",\"q\":", instrument.day.quoteVolume)
    text.literal("}")
  }

  private mutating func ticker(_ instrument: Instrument, at milliseconds: Int64) {
    let day = instrument.day
    let change = instrument.lastTrade.price - day.open
    head("{\"e\":\"24hrTicker\",\"E\":", instrument, at: milliseconds)
    amount(",\"p\":", change)
    amount(",\"P\":", Int64(Double(change) / Double(day.open) * 100 * Double(Instrument.unit)))
    amount(",\"w\":", (day.high + day.low) / 2)
    amount(",\"x\":", day.open)
    amount(",\"c\":", instrument.lastTrade.price)
    amount(",\"Q\":", instrument.lastTrade.quantity)
    amount(",\"b\":", instrument.bid)
    amount(",\"B\":", instrument.lastTrade.quantity)
    amount(",\"a\":", instrument.ask)
    amount(",\"A\":", instrument.lastTrade.quantity)
    amount(",\"o\":", day.open)
    amount(",\"h\":", day.high)
    amount(",\"l\":", day.low)
    amount(",\"v\":", day.volume)
    amount(",\"q\":", day.quoteVolume)
    number(",\"O\":", day.openTime)
    number(",\"C\":", milliseconds)
    number(",\"F\":", day.firstTrade)
    number(",\"L\":", instrument.lastTrade.id)
    number(",\"n\":", day.trades)
    text.literal("}")
  }

  private mutating func trade(_ place: Int, at milliseconds: Int64) {
    let id = all[place].nextTradeID(leavingOut: isFutures)
    let trade = all[place].lastTrade
    head("{\"e\":\"trade\",\"E\":", all[place], at: milliseconds)
    number(",\"t\":", id)
    priceAndQuantity(trade)
    tradeEnd(trade, at: milliseconds, futures: ",\"X\":\"MARKET\"")
  }

  private mutating func aggregateTrade(_ place: Int, at milliseconds: Int64) {
    let id = all[place].nextAggregateID()
    let trade = all[place].lastTrade
    head("{\"e\":\"aggTrade\",\"E\":", all[place], at: milliseconds)
    number(",\"a\":", id)
    priceAndQuantity(trade)
    number(",\"f\":", id)
    number(",\"l\":", id)
    tradeEnd(trade, at: milliseconds, futures: "")
  }

  private mutating func priceAndQuantity(_ trade: Instrument.Trade) {
    amount(",\"p\":", trade.price)
    amount(",\"q\":", trade.quantity)
  }

  /// - Parameter members: what futures have in place of spot's `M`.
  private mutating func tradeEnd(
    _ trade: Instrument.Trade, at milliseconds: Int64, futures members: StaticString
  ) {
    number(",\"T\":", milliseconds)
    if isFutures { text.literal(members) }
    text.literal(trade.buyerIsMaker ? ",\"m\":true" : ",\"m\":false")
    text.literal(isFutures ? "}" : ",\"M\":true}")
  }

  /// The spot exchange's bookTicker has neither event type nor time.
  private mutating func bookTicker(_ place: Int) {
    number("{\"u\":", all[place].updateID)
    text.literal(",\"s\":\"")
    text.text(all[place].symbol)
    text.literal("\"")
    amount(",\"b\":", all[place].bid)
    amount(",\"B\":", all[place].nextQuantity())
    amount(",\"a\":", all[place].ask)
    amount(",\"A\":", all[place].nextQuantity())
    text.literal("}")
  }

  private mutating func depth(_ place: Int, isFast: Bool, at milliseconds: Int64) {
    let key = DepthKey(instrument: place, isFast: isFast)
    let last = all[place].updateID
    let previous = lastUpdates.updateValue(last, forKey: key) ?? last - 1
    head("{\"e\":\"depthUpdate\",\"E\":", all[place], at: milliseconds)
    if isFutures { number(",\"T\":", milliseconds) }
    // Spot's updates follow each other without a hole. Those of futures may begin later.
    number(",\"U\":", isFutures ? last : previous + 1)
    number(",\"u\":", last)
    if isFutures { number(",\"pu\":", previous) }
    text.literal(",\"b\":")
    levels(all[place].nextLevels(below: true))
    text.literal(",\"a\":")
    levels(all[place].nextLevels(below: false))
    text.literal("}")
  }

  private mutating func levels(_ levels: [(price: Int64, quantity: Int64)]) {
    text.literal("[")
    for (index, level) in levels.enumerated() {
      amount(index == 0 ? "[" : ",[", level.price)
      amount(",", level.quantity)
      text.literal("]")
    }
    text.literal("]")
  }

  private mutating func kline(_ place: Int, _ interval: KlineInterval, at milliseconds: Int64) {
    let instrument = all[place]
    let openTime = milliseconds / interval.milliseconds * interval.milliseconds
    let key = KlineKey(instrument: place, interval: interval)
    var candle = candles[key] ?? Candle(openTime: openTime, trade: instrument.lastTrade)
    if candle.openTime != openTime { candle = Candle(openTime: openTime, trade: instrument.lastTrade) }
    candle.add(instrument.lastTrade)
    candles[key] = candle
    head("{\"e\":\"kline\",\"E\":", instrument, at: milliseconds)
    number(",\"k\":{\"t\":", candle.openTime)
    number(",\"T\":", candle.openTime + interval.milliseconds - 1)
    text.literal(",\"s\":\"")
    text.text(instrument.symbol)
    text.literal("\",\"i\":\"")
    text.text(Array(interval.rawValue.utf8))
    number("\",\"f\":", candle.firstTrade)
    number(",\"L\":", instrument.lastTrade.id)
    amount(",\"o\":", candle.open)
    amount(",\"c\":", instrument.lastTrade.price)
    amount(",\"h\":", candle.high)
    amount(",\"l\":", candle.low)
    amount(",\"v\":", candle.volume)
    number(",\"n\":", candle.trades)
    amount(",\"x\":false,\"q\":", candle.quoteVolume)
    amount(",\"V\":", candle.volume / 2)
    amount(",\"Q\":", candle.quoteVolume / 2)
    text.literal(",\"B\":\"0\"}}")
  }

  private mutating func amount(_ key: StaticString, _ units: Int64) {
    text.literal(key)
    text.amount(units)
  }

  private mutating func number(_ key: StaticString, _ value: Int64) {
    text.literal(key)
    text.integer(value)
  }
}
