import Base

/// Why the simulated exchange cannot do what it was asked for.
package struct ExchangeError: Error, CustomStringConvertible, Sendable {
  /// The kind of thing that went wrong.
  package enum Code: Sendable {
    case recordingUnreadable
    case recordUnwritable
    case listenFailed
    case certificateUnusable
  }

  package let code: Code
  /// The file or address concerned.
  package let subject: String
  /// The system's words.
  package let reason: String

  init(code: Code, subject: String, reason: String) {
    self.code = code
    self.subject = subject
    self.reason = reason
  }

  init(_ code: Code, _ error: SystemError) {
    self.init(code: code, subject: error.subject, reason: error.reason)
  }

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
