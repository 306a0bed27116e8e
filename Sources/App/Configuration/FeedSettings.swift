import ArgumentParser
import Base
import Shippers

/// The source of the ticks.
struct FeedSettings: Sendable, Equatable {
  /// The streams named by the operator; nil: the secret's.
  let streams: StreamList?
  /// The share of the streams that this process reads; nil: all.
  let shard: StreamShard?
  /// The secret that lists the streams.
  let secretName: String
  /// The server to use instead of the exchange's own.
  let url: URLText?
  /// Whether the exchange's test network is meant.
  let testnet: Bool
  /// A PEM file with the roots to trust instead of the system's.
  let caBundle: String?
  /// The time for which a connection may deliver nothing before another one is tried beside it.
  let staleAfter: Duration
  /// The age at which a connection is replaced.
  let maximumAge: Duration
  /// The time between two readings of the secret with the streams.
  let refreshInterval: Duration

  static let streams = Setting<StreamList?>(
    "STREAMS", .streams, emptyIsValue: true, "Streams to subscribe to, instead of the secret's")
  static let shard = Setting<StreamShard?>(
    "STREAM_SHARD", .shard, "Read the streams that rendezvous hashing gives to one of several processes")
  static let secretName = Setting(
    "BINANCE_WEBSOCKET_SECRET", default: "crypto-live.binance_ws", .secretName,
    "Secret in Secrets Manager with {\"streams\":[…]}")
  static let url = Setting<URLText?>(
    "BINANCE_WS_URL", .url(["ws", "wss"]),
    "Server to connect to, instead of the exchange's; the streams are added, unless it has another path")
  static let testnet = Setting(
    "TESTNET", default: "true", .yesOrNo, emptyIsValue: true, "Connect to the exchange's test network")
  static let caBundle = Setting<String?>(
    "FEED_CA_BUNDLE", .readableFile, "PEM file of roots to trust, instead of the system's")
  static let staleAfter = Setting(
    "FEED_STALE_SECONDS", default: "60", unit: "s", .seconds(atMost: 86_400),
    "Without data for so long, a second connection is tried beside the first")
  static let maximumAge = Setting(
    "FEED_MAX_AGE", default: "23", unit: "h", .hours(atMost: 24),
    "Age at which a connection is replaced, before the exchange ends it after 24 h")
  static let refreshInterval = Setting(
    "STREAMS_REFRESH_SECONDS", default: "300", unit: "s", .seconds(atMost: 86_400),
    "How often the secret is read again for a changed list of streams")

  struct Flags: ParsableArguments, Sendable {
    @Option(FeedSettings.streams) var streams: String?
    @Option(FeedSettings.shard) var shard: String?
    @Option(FeedSettings.secretName) var secretName: String?
    @Option(FeedSettings.url) var url: String?
    @Option(FeedSettings.testnet) var testnet: String?
    @Option(FeedSettings.caBundle) var caBundle: String?
    @Option(FeedSettings.staleAfter) var staleAfter: String?
    @Option(FeedSettings.maximumAge) var maximumAge: String?
    @Option(FeedSettings.refreshInterval) var refreshInterval: String?
  }

  init(_ reader: inout SettingReader) {
    streams = reader.value(Self.streams, \Flags.streams)
    shard = reader.value(Self.shard, \Flags.shard)
    secretName = reader.value(Self.secretName, \Flags.secretName)
    url = reader.value(Self.url, \Flags.url)
    testnet = reader.value(Self.testnet, \Flags.testnet)
    caBundle = reader.value(Self.caBundle, \Flags.caBundle)
    staleAfter = reader.value(Self.staleAfter, \Flags.staleAfter)
    maximumAge = reader.value(Self.maximumAge, \Flags.maximumAge)
    refreshInterval = reader.value(Self.refreshInterval, \Flags.refreshInterval)
    for warning in streams?.warnings ?? [] { reader.warn("STREAMS: " + warning) }
  }
}
