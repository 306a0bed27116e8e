/// Why the simulated exchange cannot do what it was asked for.
package struct ExchangeError: Error, CustomStringConvertible, Sendable {
  /// What kind of thing went wrong.
  package enum Code: Sendable {
    case recordingUnreadable
    case recordUnwritable
    case listenFailed
    case certificateUnusable
  }

  package let code: Code
  /// The file or address concerned.
  package let subject: String
  /// What the system said.
  package let reason: String

  package var description: String {
    let what =
      switch code {
      case .recordingUnreadable: "cannot read the recording"
      case .recordUnwritable: "cannot write the record"
      case .listenFailed: "cannot listen on"
      case .certificateUnusable: "cannot use the certificate or key"
      }
    return "\(what) \(subject): \(reason)"
  }
}
