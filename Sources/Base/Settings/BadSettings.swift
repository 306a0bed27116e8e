/// Every mistake in the settings, found at once. Ends the program with 78.
package struct BadSettings: Error, Sendable, Equatable {
  /// One setting that cannot be used.
  package struct Problem: Sendable, Equatable {
    /// The variable or the flag, whichever was given.
    package let name: String
    /// Safe to show, on one line.
    package let value: String
    /// Completes "must be".
    package let allowed: String
    package var reason: String?

    package init(name: String, value: String, allowed: String, reason: String? = nil) {
      self.name = name
      self.value = value
      self.allowed = allowed
      self.reason = reason
    }

    /// A setting that is unset and must not be.
    ///
    /// - Parameter reason: why it is needed.
    package static func unset<Value>(_ setting: Setting<Value>, because reason: String) -> Problem {
      Problem(name: setting.name, value: "", allowed: setting.rule.allowed, reason: reason)
    }

    package var line: String {
      "\(name) is '\(value)'\(reason.map { " (\($0))" } ?? "") but must be \(allowed)"
    }
  }

  package let problems: [Problem]

  package init(problems: [Problem]) { self.problems = problems }
}
