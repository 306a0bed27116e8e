/// The process that ships, for whoever looks at several from outside.
package struct ProcessIdentity: Sendable, Equatable {
  /// The name of the machine.
  package let host: String
  package let version: String
  package let share: Share

  /// The streams that it receives.
  package enum Share: Sendable, Equatable {
    case all
    /// As it is configured: `2/5`.
    case shard(String)
    /// It only ships: what is known of the log's share stays.
    case none
  }

  package init(host: String, version: String, share: Share) {
    self.host = host
    self.version = version
    self.share = share
  }

  package static let unknown = ProcessIdentity(host: "unknown", version: "unknown", share: .none)
}
