/// The keys of the feed's log lines.
enum LogKey {
  static let host = "host"
  /// The server's, of a host that may have several.
  static let address = "address"
  /// Which planned connection.
  static let slot = "slot"
  /// Their number.
  static let streams = "streams"
  /// The first of them.
  static let names = "names"
  static let stream = "stream"
  /// Their number, and how many there may be.
  static let events = "events"
  static let limit = "limit"
  /// Ids on both sides of those that are missing.
  static let after = "after"
  static let before = "before"
  static let reason = "reason"
  static let message = "message"
  static let time = "time"
  /// Until it is tried again.
  static let wait = "wait"
  /// The exchange's, of an error.
  static let code = "code"
  /// The moment until which nothing is tried, UTC.
  static let until = "until"
  /// The moment in which it began, UTC: of several streams the first.
  static let since = "since"
  /// The number of times that the connection was lost.
  static let losses = "losses"
  /// The time without a connection.
  static let lostFor = "lost_for"
  /// The ids of gaps that a connection leaves behind.
  static let gapIDs = "gap_ids"
  /// Equal lines not written since the last one; left out if there are none.
  static let heldBack = "held_back"
}
