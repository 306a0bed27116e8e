import Base

/// One symbol's made-up market: a seeded random walk and the day's statistics over it.
///
/// Prices and quantities are in units of 10⁻⁸, the eight decimals that the exchange writes.
struct Instrument: Sendable {
  static let unit: Int64 = 100_000_000

  let symbol: [UInt8]
  private var random: SplitMix64
  private let tickSize: Int64
  private(set) var day: Candle
  private(set) var lastTrade: Trade
  private(set) var updateID: Int64
  /// The id of the last aggregate trade; it moves with each of them alone, as ``Trade/id`` does with each trade.
  private(set) var aggregateID: Int64
  private var dayNumber: Int64

  struct Trade: Sendable {
    var id: Int64
    var price: Int64
    var quantity: Int64
    var buyerIsMaker: Bool
  }

  /// Prices to start from that a user recognizes; every other symbol gets one made from its name.
  private static let familiar: [String: Int64] = [
    "BTCUSDT": 96_000, "ETHUSDT": 3_400, "BNBUSDT": 650, "SOLUSDT": 180, "LTCUSDT": 95, "XRPUSDT": 2,
  ]

  init(symbol: String, seed: UInt64, at milliseconds: Int64) {
    self.symbol = Array(symbol.utf8)
    random = SplitMix64(seed: seed, name: symbol)
    var price = 10 + random.below(90)
    for _ in 0..<(4 + random.below(6)) { price *= 10 }
    if let known = Self.familiar[symbol] { price = known * Self.unit }
    var tickSize: Int64 = 1
    while price / tickSize >= 100_000 { tickSize *= 10 }
    self.tickSize = tickSize
    lastTrade = Trade(id: 1 + random.below(1_000_000_000), price: price, quantity: 0, buyerIsMaker: false)
    updateID = 1 + random.below(10_000_000_000)
    aggregateID = lastTrade.id
    dayNumber = milliseconds / 86_400_000
    day = Candle(openTime: milliseconds, trade: lastTrade)
  }

  var bid: Int64 { max(tickSize, lastTrade.price - tickSize) }
  var ask: Int64 { lastTrade.price + tickSize }

  /// Moves price, book and the day's statistics on, at a time in ms UTC. Ids of trades stay: what a stream of
  /// trades shows is numbered without holes, whatever other streams of the symbol say meanwhile.
  mutating func advance(at milliseconds: Int64) {
    let move = (random.below(7) - 3) * tickSize
    lastTrade.price = max(10 * tickSize, lastTrade.price + move)
    lastTrade.quantity = nextQuantity()
    lastTrade.buyerIsMaker = random.next() & 1 == 0
    updateID += 1 + random.below(5)
    let today = milliseconds / 86_400_000
    if today != dayNumber {
      dayNumber = today
      day = Candle(openTime: milliseconds, trade: lastTrade)
    }
    day.add(lastTrade)
  }

  /// The id of the next trade. Futures leave some out.
  mutating func nextTradeID(leavingOut: Bool) -> Int64 {
    lastTrade.id += leavingOut ? 1 + random.below(3) : 1
    return lastTrade.id
  }

  mutating func nextAggregateID() -> Int64 {
    aggregateID += 1
    return aggregateID
  }

  /// Some levels of the book beside the last price, as a depth update names them.
  mutating func nextLevels(below: Bool) -> [(price: Int64, quantity: Int64)] {
    (0..<random.below(4)).map { level in
      let distance = (level + 1) * tickSize
      let price = below ? max(tickSize, lastTrade.price - distance) : lastTrade.price + distance
      return (price, random.below(5) == 0 ? 0 : nextQuantity())
    }
  }

  /// A quantity worth between 1 and 1,000 of the quote currency.
  mutating func nextQuantity() -> Int64 {
    let worth = (1 + random.below(1_000)) * Self.unit
    let (high, low) = worth.multipliedFullWidth(by: Self.unit)
    return max(1, lastTrade.price.dividingFullWidth((high, low)).quotient)
  }
}

/// Open, high, low, close and volumes over a stretch of time; prices and volumes in units of 10⁻⁸.
struct Candle: Sendable {
  let openTime: Int64
  let open: Int64
  let firstTrade: Int64
  private(set) var high: Int64
  private(set) var low: Int64
  private(set) var volume: Int64 = 0
  private(set) var quoteVolume: Int64 = 0
  private(set) var trades: Int64 = 0

  init(openTime: Int64, trade: Instrument.Trade) {
    self.openTime = openTime
    open = trade.price
    high = trade.price
    low = trade.price
    firstTrade = trade.id
  }

  mutating func add(_ trade: Instrument.Trade) {
    high = max(high, trade.price)
    low = min(low, trade.price)
    volume &+= trade.quantity
    let (upper, lower) = trade.price.multipliedFullWidth(by: trade.quantity)
    quoteVolume &+= Instrument.unit.dividingFullWidth((upper, lower)).quotient
    trades += 1
  }
}
