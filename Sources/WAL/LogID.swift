/// The random name of one log, part of every object's key: 16 lower-case hex digits.
package struct LogID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  package let rawValue: String

  package init(rawValue: String) {
    self.rawValue = rawValue
  }

  package static func random() -> LogID {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return LogID(rawValue: String(repeating: "0", count: 16 - digits.count) + digits)
  }

  package var description: String { rawValue }
}

extension TickLog {
  /// Gives the log a new `log_id`, so that its objects can no longer be taken for those of the log it was
  /// copied from; durable when it returns.
  package func adopt() async throws -> (old: LogID, new: LogID) {
    let new = LogID.random()
    let old = try await write { transaction in
      let old = try transaction.logID()
      try transaction.connection.setMeta(.logID, new)
      return old
    }
    return (old, new)
  }
}
