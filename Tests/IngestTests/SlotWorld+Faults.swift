import TestSupport
import WAL

@testable import Ingest

/// What can go wrong with a slot's connections.
enum SlotFault: CaseIterable {
  case serverEnds, dies, deafens, lags, babbles, freezes, pauses, skipsIDs, rotates, announcesShutdown
  /// They meet the next connection.
  case refusesToConnect, hangs, refusesStreams, withholds
}

/// A connection as the exchange sees it.
final class SlotPeer {
  enum Health { case sound, deaf, dead }

  let id: FeedSession.ConnectionID
  /// The time that a message takes.
  let way: Duration
  /// The time that it waits before, in the server's queue.
  var lag = Duration.zero
  var lastArrival = Duration.zero
  var health = Health.sound
  var isOpen = false
  var isClosing = false
  var hasServerEnded = false
  var isGone = false
  var lastPing = 0
  var babblesUntil = Duration.zero
  var rejectedInARow = 0
  var granted: Set<Int> = []
  var withheld: Set<Int> = []
  /// Up to then the exchange refuses these.
  var refused: (streams: Set<Int>, until: Duration)?
  /// How many of the next ids are left out, and which were since the stream's last tick here.
  var skips: [Int: Int] = [:]
  var skipped: [Int: Set<Int>] = [:]
  var unsettled = 0
  var delivered = 0

  init(_ id: FeedSession.ConnectionID, way: Duration) {
    self.id = id
    self.way = way
  }

  func sends(_ stream: Int, at now: Duration) -> Bool {
    granted.contains(stream) && !withheld.contains(stream) && !hasServerEnded && health == .sound
      && babblesUntil <= now
  }
}

extension SlotWorld {
  // MARK: Connecting

  func dial(_ peer: SlotPeer) {
    let met = dialFaults
    dialFaults = []
    if met.contains(.hangs) { return }
    if met.contains(.refusesToConnect) {
      return schedule(.arrival(peer, .refused), in: milliseconds(0...3_000))
    }
    // Streams of which the log knows no rhythm are not missed, which is not promised.
    let known = Set(streams.indices.filter { streams[$0].logged.count > 40 })
    if met.contains(.withholds) { peer.withheld = some(of: known) }
    if met.contains(.refusesStreams) {
      peer.refused = (some(of: Set(streams.indices)), now + milliseconds(1_000...60_000))
    }
    send(.reached, from: peer, after: milliseconds(1...500))
  }

  /// The server is reached, and is sent the requests.
  func subscribe(_ peer: SlotPeer) {
    peer.unsettled = 2
    let middle = streams.count / 2
    for part in [0..<middle, middle..<streams.count] {
      schedule(.askAgain(peer, Array(part), tries: 0), in: milliseconds(0...300))
    }
  }

  private func some(of all: Set<Int>) -> Set<Int> {
    Set(all.sorted().filter { _ in Int.random(in: 0..<3, using: &random) == 0 })
  }

  /// A request arrives at the exchange.
  func ask(_ peer: SlotPeer, for asked: [Int], tries: Int) {
    guard !peer.isGone, !peer.hasServerEnded, peer.health != .dead else { return }
    let names = asked.map { streams[$0].name }
    if let refused = peer.refused, refused.until > now, !refused.streams.isDisjoint(with: asked) {
      let pause = milliseconds(1_000...20_000)
      let failure = RequestAnswer.Failure(code: 4, message: "Too many subscriptions")
      send(.judged(.refused(names, failure, again: pause)), from: peer)
      schedule(.askAgain(peer, asked, tries: tries + 1), in: pause)
    } else {
      peer.granted.formUnion(asked)
      send(.judged(.granted(names)), from: peer)
    }
    if tries == 0 {
      peer.unsettled -= 1
      if peer.unsettled == 0 { send(.opened, from: peer) }
    }
  }

  // MARK: Faults

  /// - Returns: whether there was anything to go wrong.
  func cause(_ fault: SlotFault) -> Bool {
    let open = peers.values.filter { $0.isOpen && !$0.isClosing }.sorted { $0.id.number < $1.id.number }
    let peer = open.randomElement(using: &random)
    switch fault {
    case .serverEnds:
      guard let peer else { return false }
      serverEnds(peer)
    case .dies, .deafens:
      guard let peer, peer.health == .sound else { return false }
      peer.health = fault == .dies ? .dead : .deaf
      tell("\(peer.id.number) \(fault)")
    case .lags:
      // One that lags from its beginning is not told from one that does not.
      guard let peer, peer.id == decisions.current, peer.lag == .zero,
        peer.delivered > 20
      else { return false }
      peer.lag = milliseconds(2_000...20_000)
      tell("\(peer.id.number) lags by \(peer.lag)")
      schedule(.catchUp(peer), in: milliseconds(1_000...60_000))
    case .babbles:
      guard let peer, peer.health == .sound else { return false }
      let length = milliseconds(3_000...20_000)
      peer.babblesUntil = now + length
      tell("\(peer.id.number) babbles for \(length)")
      for tenth in 0..<Int(length / .milliseconds(100)) {
        send(.rubbish, from: peer, after: .milliseconds(100) * tenth)
      }
    case .freezes:
      guard !isFrozen, !isStopped else { return false }
      let length = milliseconds(2_000...40_000)
      tell("frozen for \(length)")
      freeze(for: length)
    case .pauses:
      guard !isFrozen, !isPaused, !isStopped else { return false }
      let length = milliseconds(1_000...40_000)
      tell("paused for \(length)")
      pause(for: length)
    case .skipsIDs:
      let stream = streams.indices.filter { streams[$0].hasIDs }.randomElement(using: &random)
      guard let peer, let stream else { return false }
      peer.skips[stream, default: 0] += Int.random(in: 1...3, using: &random)
      tell("\(peer.id.number) skips")
    case .rotates:
      if isFrozen { return false }
      decide { $0.handle(.rotate(listChanged: false), at: $1, &$2) }
    case .announcesShutdown:
      guard let peer, !isFrozen, !isPaused else { return false }
      decide { $0.handle(.shutdownAnnounced(peer.id), at: $1, &$2) }
      schedule(.serverEnds(peer), in: milliseconds(5_000...120_000))
    case .refusesToConnect, .hangs, .refusesStreams, .withholds: dialFaults.insert(fault)
    }
    return true
  }

  func serverEnds(_ peer: SlotPeer, in wait: Duration = .zero) {
    guard !peer.hasServerEnded else { return }
    peer.hasServerEnded = true
    tell("\(peer.id.number) the server ends it")
    if peer.lag > .zero { lose(peer) }
    send(.ended, from: peer, after: wait)
  }

  func endFaults() {
    faults = []
    dialFaults = []
    thaw()
    resume()
    for peer in peers.values {
      // A stream that only begins late is not told from one that was quiet.
      schedule(.deliversAll(peer), in: .seconds(150))
      peer.refused = nil
      peer.skips = [:]
    }
  }
}

extension SlotDecisions {
  /// What is due when, for a message.
  fileprivate var parts: [Duration?] {
    [session.deadline, overlap.deadline, streamGaps.deadline, sequences.deadline]
  }
  var dues: String {
    zip(["session", "overlap", "streams", "ids"], parts).map { "\($0) \($1.map { "\($0)" } ?? "none")" }
      .joined(separator: ", ")
  }
}
