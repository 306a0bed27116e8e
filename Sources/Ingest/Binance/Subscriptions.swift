import Base

/// The subscriptions of one connection: which requests are out, which streams are granted, and when what was refused
/// is asked for again.
///
/// A request that the exchange refuses because of a name is asked for again in halves, so that in the end one bad name
/// costs one stream and is known; any other one again as it is, with back-off. One that is never answered counts as
/// refused. Pure; times are of one monotonic clock.
struct Subscriptions: Sendable {
  /// The exchange's answer for a part of the streams, or the lack of one.
  enum Verdict: Equatable, Sendable {
    case granted([String])
    /// - Parameters:
    ///   - failure: nil if there was no answer.
    ///   - again: when they are asked for again; nil if that is done at once, in halves.
    case refused([String], RequestAnswer.Failure?, again: Duration?)
    /// Said by the exchange without a request that it could be about.
    case said(RequestAnswer.Failure)
  }

  private struct Awaited {
    var request: SubscribeRequest
    var until: Duration
    var tries: Int
  }

  private struct Later {
    var streams: [String]
    var at: Duration
    var tries: Int
  }

  /// The time that an answer may take, if nothing else is said.
  static let patience = Duration.seconds(20)
  /// Between two requests in a row, as the limit of messages spaces them.
  private static let spacing = Duration.milliseconds(250)
  private static let backoff = Backoff(base: .seconds(2), cap: .seconds(60), jitter: .equal)
  /// For a stream whose name alone was refused.
  private static let badNameBackoff = Backoff(base: .seconds(60), cap: .seconds(600), jitter: .equal)

  private let patience: Duration
  private var awaited: [Awaited] = []
  private var later: [Later] = []
  /// Requests that were given up: their answer may still come.
  private var givenUp: [SubscribeRequest] = []
  private var lastID: Int64 = 0

  /// The first requests that have no verdict. An exchange that answers none of them is none: then the connection does
  /// not open, and its time limit ends it.
  private var unsettled: Set<Int64> = []

  private var hasAnswered = false

  /// True once there is a first verdict on each stream: granted, refused, or overdue.
  var isSettled: Bool { unsettled.isEmpty }

  /// The number of requests that are still waited for.
  var awaitedCount: Int { awaited.count }

  /// The moment in which ``due(at:random:)`` is to be called.
  var deadline: Duration? { (awaited.map(\.until) + later.map(\.at)).min() }

  /// - Parameter patience: for the answer to a request.
  init(patience: Duration = Self.patience) { self.patience = patience }

  /// - Returns: what to send.
  mutating func start(_ requests: [SubscribeRequest], at now: Duration) -> [SubscribeRequest] {
    lastID = requests.map(\.id).max() ?? 0
    for request in requests { wait(for: request, tries: 1, at: now) }
    unsettled = Set(requests.map(\.id))
    return requests
  }

  /// The exchange has answered.
  ///
  /// - Parameter random: in 0 ..< 1.
  /// - Returns: what it means, and what to send.
  mutating func answered(
    _ answer: RequestAnswer, at now: Duration, random: Double
  ) -> (verdict: Verdict?, requests: [SubscribeRequest]) {
    if let id = answer.id, let place = givenUp.firstIndex(where: { $0.id == id }) {
      let request = givenUp.remove(at: place)
      guard answer.failure == nil else { return (nil, []) }
      forget(request.streams)
      return (.granted(request.streams), [])
    }
    // A server that could not read a request cannot name it; it answers them in their order.
    let place = answer.id.map { id in awaited.firstIndex { $0.request.id == id } } ?? awaited.indices.first
    guard let place else { return (answer.failure.map { .said($0) }, []) }
    let open = awaited.remove(at: place)
    settle()
    guard let failure = answer.failure else { return (.granted(open.request.streams), []) }
    let streams = open.request.streams
    if failure.isAboutNames, streams.count > 1 {
      let middle = streams.count / 2
      let halves = [streams[..<middle], streams[middle...]].map { request(for: Array($0)) }
      for half in halves { wait(for: half, tries: 1, at: now) }
      return (.refused(streams, failure, again: nil), halves)
    }
    let backoff = failure.isAboutNames ? Self.badNameBackoff : Self.backoff
    let pause = backoff.delay(afterAttempt: open.tries, random: random)
    later.append(Later(streams: streams, at: now + pause, tries: open.tries + 1))
    return (.refused(streams, failure, again: pause), [])
  }

  /// The requests that are due: those that were not answered in time, and such as are to be sent again.
  mutating func due(at now: Duration, random: Double) -> (verdicts: [Verdict], requests: [SubscribeRequest]) {
    var verdicts: [Verdict] = []
    for open in awaited where open.until <= now {
      let pause = Self.backoff.delay(afterAttempt: open.tries, random: random)
      later.append(Later(streams: open.request.streams, at: now + pause, tries: open.tries + 1))
      givenUp.append(open.request)
      verdicts.append(.refused(open.request.streams, nil, again: pause))
    }
    awaited.removeAll { $0.until <= now }
    if hasAnswered { settle() }
    var requests: [SubscribeRequest] = []
    for again in later where again.at <= now {
      let request = request(for: again.streams)
      wait(for: request, tries: again.tries, at: now)
      requests.append(request)
    }
    later.removeAll { $0.at <= now }
    givenUp = givenUp.suffix(64)
    return (verdicts, requests)
  }

  private mutating func settle() {
    hasAnswered = true
    unsettled.formIntersection(awaited.map(\.request.id))
  }

  private mutating func request(for streams: [String]) -> SubscribeRequest {
    lastID += 1
    return SubscribeRequest(id: lastID, streams: streams)
  }

  private mutating func wait(for request: SubscribeRequest, tries: Int, at now: Duration) {
    let until = now + patience + Self.spacing * awaited.count
    awaited.append(Awaited(request: request, until: until, tries: tries))
  }

  /// They need not be asked for again.
  private mutating func forget(_ streams: [String]) {
    let granted = Set(streams)
    later.removeAll { granted.isSuperset(of: $0.streams) }
    awaited.removeAll { granted.isSuperset(of: $0.request.streams) }
    settle()
  }
}

extension RequestAnswer.Failure {
  /// True if one of the names may be what is wrong with the request.
  ///
  /// Reference: https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams, "Error Messages"
  var isAboutNames: Bool {
    if let code, (0...3).contains(code) { return true }
    let words = message.lowercased()
    return words.contains("invalid") || words.contains("unknown")
  }

  /// The exchange's words as they are kept with a gap, as JSON.
  var detail: String {
    let code = code.map(String.init) ?? "null"
    return #"{"code":\#(code),"msg":\#(JSONText.string(message))}"#
  }
}
