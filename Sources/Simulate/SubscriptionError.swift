/// An error that a SUBSCRIBE request is answered with. The raw value is its code.
///
/// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "Error Messages"
package enum SubscriptionError: Int, Sendable, CaseIterable {
  case internalError = 1
  case invalidStream = 2
  /// None of the exchange's: for rehearsing what nobody has seen.
  case rehearsal = 3
  case tooManySubscriptions = 4

  /// Those that the exchange itself gives.
  static let known: [SubscriptionError] = [.internalError, .invalidStream, .tooManySubscriptions]

  var message: String {
    switch self {
    case .internalError: "Internal error"
    case .invalidStream: "Invalid request: invalid stream"
    case .rehearsal: "Refused for rehearsal"
    case .tooManySubscriptions: "Too many subscriptions"
    }
  }
}
