/// The settings of a simulated exchange: what it serves, and how.
package struct ExchangeConfiguration: Sendable {
  /// The source of the messages.
  package enum Source: Sendable, Equatable {
    /// Made-up prices; the same seed makes the same ones.
    case madeUp(seed: UInt64)
    /// A file of recorded messages, one a line, sent as they are; from the beginning again if it `repeats`.
    case recording(path: String, repeats: Bool)
  }

  /// PEM files for serving `wss://`.
  package struct TLS: Sendable, Equatable {
    package var certificateFile: String
    package var keyFile: String

    package init(certificateFile: String, keyFile: String) {
      self.certificateFile = certificateFile
      self.keyFile = keyFile
    }
  }

  /// A place to listen on.
  package struct Address: Sendable, Equatable {
    package var host: String
    /// 0 takes any free port; for one after the first, on another host, the first one's.
    package var port: Int

    package init(host: String, port: Int) {
      self.host = host
      self.port = port
    }
  }

  package var host = "127.0.0.1"
  /// 0 takes any free port.
  package var port = 0
  /// More places where the same exchange is.
  package var furtherAddresses: [Address] = []
  /// Places that take connections and never answer.
  package var deadAddresses: [Address] = []
  /// Places that answer each request with 503.
  package var unavailableAddresses: [Address] = []
  /// Whether events are numbered as those of futures: depth updates with `pu`, trades with ids left out.
  package var isFutures = false
  package var source = Source.madeUp(seed: 1)
  /// Messages per second in all, however many streams; 0 means as fast as the clients take them. A message
  /// that goes to several clients counts once.
  package var messagesPerSecond = 0.0
  /// Whether the exchange waits for slow clients, and makes nothing for a stream that nobody listens to; always
  /// so at a rate of 0. Otherwise it goes on as a real market does: every stream that was ever subscribed has
  /// ticks, and a slow client harms only itself.
  package var waitsForClients = false
  /// Bytes that may wait for a client that reads slowly; with more it is dropped. Counts only while the
  /// exchange does not wait.
  package var clientBacklog = 16 * 1024 * 1024
  /// Enforce the exchange's limits on clients: see ``ClientLimits``.
  package var isStrict = false
  /// Stop sending after this many messages, connections staying open; nil means never.
  package var messageLimit: Int?
  /// Symbols (upper case) in the messages of `!miniTicker@arr`, besides those that clients subscribed to.
  package var listedSymbols = [
    "BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT", "LTCUSDT", "DOTUSDT",
    "ETHBTC", "BNBBTC",
  ]
  package var pingInterval = ClientLimits.pingInterval
  /// A client that has not answered a ping for this long is dropped.
  package var pongTimeout = ClientLimits.pongTimeout
  package var tls: TLS?
  /// The file that gets each message as it was sent.
  package var recordFile: String?
  /// The file that gets each message that was made, to whom it went and when, and what became of connections.
  package var journalFile: String?
  package var faults = ExchangeFaults()
  /// The time of made-up events, in milliseconds UTC; nil is the system's clock. Two events of one stream
  /// never carry the same one.
  package var eventTime: (@Sendable () -> Int64)?

  package init() {}
}
