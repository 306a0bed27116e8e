import AWS
import Base
import WAL

/// The settings of one kind of destination, and the destinations that follow from them.
package protocol DestinationSettings: Sendable {
  /// The word for it in `replay --to`.
  static var name: String { get }
  /// The service's name, for people.
  static var service: String { get }
  /// The name of `doctor`'s finding about a place that it cannot look at.
  static var check: String { get }
  /// The consumer, and the one that takes its place under `--local`.
  static var consumers: (remote: ConsumerKind, local: ConsumerKind) { get }
  /// The beginnings of its variables' names.
  static var variableFamilies: [String] { get }
  /// Whether a replay can make copies under another folder.
  static var makesCopies: Bool { get }

  /// Refuses a folder that copies must not go to; asked before anything is opened.
  func check(copiesUnder folder: String) throws(BadSettings)

  /// Reads them, in the order of the documentation.
  init(_ reader: inout SettingReader)

  /// The place that an address of this kind means, in a form that people know; nil for one of another kind.
  ///
  /// - Parameter address: JSON, as the log has it.
  static func text(ofAddress address: String) -> String?

  /// Whether its consumer is enabled.
  var isEnabled: Bool { get }

  /// The deliveries that may be on their way at a time.
  var deliveries: Int { get }

  /// The destination itself.
  func destination(_ access: any AWSAccess) async throws -> any Destination

  /// The one that takes its place under `--local`.
  ///
  /// - Parameter folder: absolute, made if its parent is there.
  func destination(inFolder folder: String, clock: ShippingClock) throws -> any Destination
}

extension DestinationSettings {
  /// Without a form of its own it is shown as it is.
  package static func text(ofAddress address: String) -> String? { nil }

  /// Without copies there is nothing to refuse.
  package func check(copiesUnder folder: String) {}
}

/// The way to AWS, opened when it is needed first.
package protocol AWSAccess: Sendable {
  /// - Throws: for keys that can never be had.
  func client() async throws -> AWSClient
  /// A client for S3 at another endpoint; `nil` if it cannot be used.
  func client(s3Endpoint: String) -> AWSClient?
}
