/// The random name of one log, part of every object's key: 16 lower-case hex digits.
public struct LogID: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  public let rawValue: String

  public init(rawValue: String) {
    self.rawValue = rawValue
  }

  public static func random() -> LogID {
    let digits = String(UInt64.random(in: .min ... .max), radix: 16)
    return LogID(rawValue: String(repeating: "0", count: 16 - digits.count) + digits)
  }

  public var description: String { rawValue }
}

extension TickLog {
  /// Gives the log a new `log_id`, so that its objects can no longer be taken for those of the log it was
  /// copied from; durable when it returns.
  public func adopt() async throws -> (old: LogID, new: LogID) {
    let new = LogID.random()
    let old = try await write { transaction in
      let old = try transaction.logID()
      try transaction.setMeta("log_id", new.rawValue)
      return old
    }
    return (old, new)
  }
}
