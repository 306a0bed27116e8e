/// The settings of a feed: its server, its streams, and how it behaves.
package struct FeedConfiguration: Sendable {
  package var endpoint: FeedEndpoint
  /// The streams at first; see ``Feed/update(streams:)``.
  package var streams: [String]
  /// A PEM file of trusted certificates instead of the system's.
  package var caBundle: String?
  /// Without data for so long a second connection looks whether there is any.
  package var staleAfter: Duration
  /// A connection is replaced before it is older than this.
  package var maximumAge: Duration
  package var limits: ExchangeLimits

  package init(
    endpoint: FeedEndpoint, streams: [String], caBundle: String? = nil, staleAfter: Duration = .seconds(60),
    maximumAge: Duration = ExchangeLimits.binance.replacementAge, limits: ExchangeLimits = .binance
  ) {
    self.endpoint = endpoint
    self.streams = streams
    self.caBundle = caBundle
    self.staleAfter = staleAfter
    self.maximumAge = maximumAge
    self.limits = limits
  }
}
