/// What a feed connects to, and how it behaves.
package struct FeedConfiguration: Sendable {
  package var endpoint: FeedEndpoint
  /// What it subscribes to at first; see ``Feed/update(streams:)``.
  package var streams: [String]
  /// A PEM file of trusted certificates instead of the system's.
  package var caBundle: String?
  /// Without data for so long a second connection looks whether there is any.
  package var staleAfter: Duration
  /// A connection is replaced before it is older than this.
  package var maximumAge: Duration
  /// Attempts to connect in five minutes: the exchange's limit. Higher ones are for rehearsals against a
  /// server of one's own.
  package var attemptLimit = 300

  package init(
    endpoint: FeedEndpoint, streams: [String], caBundle: String? = nil, staleAfter: Duration = .seconds(60),
    maximumAge: Duration = .seconds(23 * 3600)
  ) {
    self.endpoint = endpoint
    self.streams = streams
    self.caBundle = caBundle
    self.staleAfter = staleAfter
    self.maximumAge = maximumAge
  }
}
