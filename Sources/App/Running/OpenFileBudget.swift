import Base

/// The open files that a process needs, and what its limit leaves for connections to AWS: a pure value.
struct OpenFileBudget: Sendable, Equatable {
  /// Of the limit.
  let limit: Int
  /// For everything but connections to AWS.
  let reserved: Int
  /// The connections that the settings ask for.
  let wanted: Int

  /// The most that one connection to AWS takes: its socket, and while its name is looked up the resolver's socket
  /// and the pair by which its thread tells curl.
  static let filesPerConnection = 4
  /// Credentials, the secret, the log's note and gaps, beside what the consumers deliver.
  static let otherConnections = 6

  /// For a process with the log open.
  ///
  /// - Parameters:
  ///   - cores: swift-nio has a thread with three files for each.
  ///   - slots: of the feed, each with a connection, its successor and one that is being tried; 0 without a feed.
  ///   - observers: the most clients of HTTP at a time; 0 without a server.
  ///   - deliveries: those that the consumers may have on their way at a time.
  init(limit: Int, cores: Int, slots: Int, consumers: Int, observers: Int = 0, deliveries: Int) {
    self.limit = limit
    // Standard streams, libdispatch (epoll, timers, signals), the log with its -wal, -shm, lock and ballast, control
    // socket and clients, a reader for operators, a child's pipe.
    let basis = 3 + 8 + 5 + 6 + 2 + 2
    let feed = slots > 0 ? 3 * slots + 3 * cores + 2 : 0
    // A reader or two of two files each, and a local sink's.
    // HTTP has a listener, a loop of its own, its clients, and a reader for them all.
    let watched = observers > 0 ? observers + 8 : 0
    reserved = basis + feed + 4 * consumers + watched
    wanted = deliveries > 0 ? deliveries + Self.otherConnections : 0
  }

  /// For the stand-in exchange: standard streams, libdispatch, a thread of swift-nio's, its files, and one client.
  init(limit: Int, addresses: Int) {
    self.limit = limit
    reserved = 3 + 8 + 3 + addresses + 2 + 1
    wanted = 0
  }

  /// For a command that reads the log, and may ask for as much as the settings allow at most.
  static let withoutFeed = OpenFileBudget(
    limit: OpenFileLimit.value, cores: 0, slots: 0, consumers: 2, deliveries: 1_000)

  /// The fewest files with which the work can go on.
  var minimum: Int { reserved + (wanted > 0 ? Self.filesPerConnection : 0) }

  /// The number of connections to AWS at a time.
  var connections: Int { min(max(wanted, 1), max(1, (limit - reserved) / Self.filesPerConnection)) }

  /// Whether requests wait for one another.
  var isShort: Bool { connections < wanted }

  /// - Throws: `CommandFailure` (78) naming the limit and what is needed.
  func check() throws(CommandFailure) {
    guard limit < minimum else { return }
    throw CommandFailure(
      .badValue,
      "RLIMIT_NOFILE is '\(limit)' (the limit of open files) but must be at least \(minimum) for these settings: "
        + "raise it (ulimit -n \(minimum), LimitNOFILE=\(minimum) in a unit)")
  }
}
