import Base

/// The clients of the control socket, side by side: a pure value that takes what comes from them, and the time.
///
/// There are at most `limit`. Whoever says nothing gives way to the next one, so that it costs nobody else anything.
struct ControlClients {
  /// A client's number; never used again.
  typealias ID = Int

  /// The thing that the connection waits for.
  enum Wait: Equatable {
    /// The rest of the client's line.
    case line
    /// The answer to it.
    case work
    /// The client, to take what is left of the answer.
    case reader([UInt8])
  }

  /// The end of a client's line, or none yet.
  enum Hearing: Equatable {
    case more
    case request([UInt8])
    case tooLong
  }

  private struct Client {
    var wait = Wait.line
    var line: [UInt8] = []
    var deadline: Duration
  }

  /// The number of clients at a time; the system's queue holds a few more.
  static let limit = 32
  /// The time that a client may take for its line, and for reading the answer.
  static let patience = Duration.seconds(5)

  private var clients: [ID: Client] = [:]
  private var nextID = 0

  /// In the order in which they came.
  var ids: [ID] { clients.keys.sorted() }
  var isEmpty: Bool { clients.isEmpty }

  /// There is no place: all wait for an answer, or are given one.
  var isFull: Bool { clients.count >= Self.limit && oldestAsker == nil }

  /// - Returns: `nil` for one who is not there any more.
  func wait(of id: ID) -> Wait? { clients[id]?.wait }

  /// Takes a new client, for whom there is a place.
  ///
  /// - Returns: who has to go for it, if anybody.
  mutating func come(at now: Duration) -> (id: ID, leaving: ID?) {
    let leaving = clients.count >= Self.limit ? oldestAsker : nil
    if let leaving { clients[leaving] = nil }
    defer { nextID += 1 }
    clients[nextID] = Client(deadline: now + Self.patience)
    return (nextID, leaving)
  }

  private var oldestAsker: ID? { clients.filter { $0.value.wait == .line }.keys.min() }

  /// Takes what a client has said; behind the end of its line nothing counts.
  mutating func hear(_ bytes: some Collection<UInt8>, from id: ID) -> Hearing {
    guard var client = clients[id], client.wait == .line else { return .more }
    let end = bytes.firstIndex(of: UInt8(ascii: "\n"))
    client.line += bytes[..<(end ?? bytes.endIndex)]
    guard client.line.count <= ControlRequest.maximumBytes else { return .tooLong }
    defer { clients[id] = client }
    guard end != nil else { return .more }
    client.wait = .work
    defer { client.line = [] }
    return .request(client.line)
  }

  /// Gives a client its answer.
  mutating func answer(_ id: ID, _ bytes: [UInt8], at now: Duration) {
    guard clients[id]?.wait == .work else { return }
    clients[id]?.wait = .reader(bytes)
    clients[id]?.deadline = now + Self.patience
  }

  /// A client has taken so many bytes of its answer.
  ///
  /// - Returns: whether that was all.
  mutating func took(_ count: Int, _ id: ID) -> Bool {
    guard case .reader(let rest)? = clients[id]?.wait else { return true }
    clients[id]?.wait = .reader(Array(rest.dropFirst(count)))
    return count >= rest.count
  }

  mutating func leave(_ id: ID) { clients[id] = nil }

  /// Those whose time is over. Work takes what it takes.
  func overdue(at now: Duration) -> [ID] {
    clients.filter { $0.value.wait != .work && $0.value.deadline <= now }.keys.sorted()
  }

  /// The earliest time at which somebody is overdue.
  var nextDeadline: Duration? { clients.values.filter { $0.wait != .work }.map(\.deadline).min() }
}
