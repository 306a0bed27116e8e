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
    dayNumber = milliseconds / 86_400_000
    day = Candle(openTime: milliseconds, trade: lastTrade)
  }

  var bid: Int64 { max(tickSize, lastTrade.price - tickSize) }
  var ask: Int64 { lastTrade.price + tickSize }

  /// Makes the next trade happen, at a time in ms UTC.
  mutating func advance(at milliseconds: Int64) {
    let move = (random.below(7) - 3) * tickSize
    lastTrade.price = max(10 * tickSize, lastTrade.price + move)
    lastTrade.quantity = nextQuantity()
    lastTrade.buyerIsMaker = random.next() & 1 == 0
    lastTrade.id += 1
    updateID += 1 + random.below(5)
    let today = milliseconds / 86_400_000
    if today != dayNumber {
      dayNumber = today
      day = Candle(openTime: milliseconds, trade: lastTrade)
    }
    day.add(lastTrade)
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
