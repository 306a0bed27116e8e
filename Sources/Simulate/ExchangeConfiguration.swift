/// What a simulated exchange serves, and how.
public struct ExchangeConfiguration: Sendable {
  /// Where the messages come from.
  public enum Source: Sendable, Equatable {
    /// Made-up prices; the same seed makes the same ones.
    case madeUp(seed: UInt64)
    /// A file of recorded messages, one a line, sent as they are; from the beginning again if it `repeats`.
    case recording(path: String, repeats: Bool)
  }

  /// PEM files for serving `wss://`.
  public struct TLS: Sendable, Equatable {
    public var certificateFile: String
    public var keyFile: String

    public init(certificateFile: String, keyFile: String) {
      self.certificateFile = certificateFile
      self.keyFile = keyFile
    }
  }

  public var host = "127.0.0.1"
  /// 0 takes any free port.
  public var port = 0
  public var source = Source.madeUp(seed: 1)
  /// Messages per second in all, however many streams; 0 means as fast as the clients take them. A message
  /// that goes to several clients counts once. When any client is slow, all wait for it.
  public var messagesPerSecond = 0.0
  /// Stop sending after this many messages, connections staying open; nil means never.
  public var messageLimit: Int?
  /// Symbols (upper case) in the messages of `!miniTicker@arr`, besides those that clients subscribed to.
  public var listedSymbols = [
    "BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "LTCUSDT", "DOTUSDT",
    "ETHBTC", "BNBBTC",
  ]
  public var pingInterval = Duration.seconds(20)
  /// A client that has not answered a ping for this long is dropped.
  public var pongTimeout = Duration.seconds(60)
  public var tls: TLS?
  /// Where to write down each message as it was sent.
  public var recordFile: String?
  public var faults = ExchangeFaults()
  /// The time of made-up events, in milliseconds UTC; nil is the system's clock. Two events of one stream
  /// never carry the same one.
  public var eventTime: (@Sendable () -> Int64)?

  public init() {}
}

/// What goes wrong at the exchange, for rehearsing.
public struct ExchangeFaults: Sendable, Equatable {
  /// Close each connection after this long.
  public var closeAfter: Duration?
  /// Close each connection after it got this many messages.
  public var closeAfterMessages: Int?
  /// Answer requests to connect with this HTTP status.
  public var refuseWithStatus: Int?
  /// Send this many messages in the same write as the answer to the upgrade.
  public var messagesWithUpgrade = 0
  /// Send messages in fragments of at most this many bytes.
  public var fragmentSize: Int?

  public init() {}
}

/// What an exchange has done so far.
public struct ExchangeStatistics: Sendable, Equatable {
  public internal(set) var connectionsOpened = 0
  public internal(set) var connectionsRefused = 0
  public internal(set) var connectionsOpen = 0
  /// Messages made, each counted once however many clients got it.
  public internal(set) var messages = 0
  /// Pongs that answered a ping of the exchange.
  public internal(set) var pongs = 0
  /// Clients dropped because they did not answer pings.
  public internal(set) var silentClients = 0
}
