import ArgumentParser

/// Where ticks come from.
struct FeedSettings: Sendable, Equatable {
  /// The streams named by the operator; nil: the secret's.
  let streams: StreamList?
  /// The secret that lists the streams.
  let secretName: String
  /// The server to use instead of the exchange's own.
  let url: ServiceURL?
  /// Whether the exchange's test network is meant.
  let testnet: Bool
  /// A PEM file with the roots to trust instead of the system's.
  let caBundle: String?

  static let streams = Setting<StreamList?>(
    "STREAMS", .streams, emptyIsValue: true, "Streams to subscribe to, instead of the secret's")
  static let secretName = Setting(
    "BINANCE_WEBSOCKET_SECRET", default: "crypto-live.binance_ws", .secretName,
    "Secret in Secrets Manager with {\"streams\":[…]}")
  static let url = Setting<ServiceURL?>(
    "BINANCE_WS_URL", .url(["ws", "wss"]), "Server to connect to, instead of the exchange's")
  static let testnet = Setting(
    "TESTNET", default: "true", .yesOrNo, emptyIsValue: true, "Connect to the exchange's test network")
  static let caBundle = Setting<String?>(
    "FEED_CA_BUNDLE", .readableFile, "PEM file of roots to trust, instead of the system's")

  struct Flags: ParsableArguments, Sendable {
    @Option(FeedSettings.streams) var streams: String?
    @Option(FeedSettings.secretName) var secretName: String?
    @Option(FeedSettings.url) var url: String?
    @Option(FeedSettings.testnet) var testnet: String?
    @Option(FeedSettings.caBundle) var caBundle: String?
  }

  init(_ reader: inout SettingReader) {
    streams = reader.value(Self.streams, \Flags.streams)
    secretName = reader.value(Self.secretName, \Flags.secretName)
    url = reader.value(Self.url, \Flags.url)
    testnet = reader.value(Self.testnet, \Flags.testnet)
    caBundle = reader.value(Self.caBundle, \Flags.caBundle)
    for warning in streams?.warnings ?? [] { reader.warn("STREAMS: " + warning) }
  }
}
