import Ticks
import WAL

/// The track that one connection's streams leave: when each of them last delivered on it, in which rhythm,
/// and how far its ids are.
struct StreamTrack: Sendable {
  private struct Stream {
    /// Microseconds UTC.
    var lastReceived: Int64
    var ticks: Int32 = 1
    /// Microseconds of the time in which the connection delivered: at its last tick, and the most between two.
    var lastActive: Int64
    var longestPause: Int64 = 0
    /// The last of its ids; -1 before any.
    var lastID: Int64 = -1
    /// Its number among the slot's sequences; -1 before any id.
    var sequence: Int32 = -1

    mutating func received(at time: Int64, active: Int64) {
      longestPause = max(longestPause, active - lastActive)
      lastReceived = time
      lastActive = active
      if ticks < .max { ticks += 1 }
    }
  }

  /// A stream that has so many ticks has a rhythm.
  static let ticksForRhythm: Int32 = 10
  /// A silence this much longer than the longest pause does not belong to the rhythm.
  static let patience = 10

  /// Longer than this between two deliveries the connection itself was silent.
  private static let activity = Duration.seconds(1)

  private var table = StreamTable()
  private var streams: [Stream] = []
  /// Microseconds in which the connection has delivered: while it is silent itself no stream of it is.
  private var active: Int64 = 0
  private var deliveredAt: Duration?

  /// On the path of every tick.
  ///
  /// - Parameters:
  ///   - time: microseconds UTC: up to then each stream that the ticks are of has delivered everything.
  ///   - sequences: get the ids, in the order in which this connection has them.
  ///   - now: of a monotonic clock.
  mutating func note(_ intake: Intake, at time: Int64, into sequences: inout SequenceGaps, now: Duration) {
    if let deliveredAt {
      active += Int64(min(max(now - deliveredAt, .zero), Self.activity) / .microseconds(1))
    }
    deliveredAt = now
    var place = -1
    var next = 0
    intake.ticks.withTexts { tick, name, _ in
      place += 1
      var ids: IDStep?
      if next < intake.steps.count, intake.steps[next].tick == place {
        ids = intake.steps[next].ids
        next += 1
      }
      guard let number = table.number(of: name) else { return }
      note(number, at: time)
      if let ids {
        follow(ids, of: number, tick, name, into: &sequences, now)
      } else if streams[number].lastID >= 0 {
        sequences.cameWithoutIDs(Int(streams[number].sequence))
      }
    }
    // Their ticks bear other names.
    for name in intake.arrays {
      if let number = table.number(of: name) { note(number, at: time) }
    }
  }

  private mutating func follow(
    _ ids: IDStep, of number: Int, _ tick: TickBatch.Entry, _ name: UnsafeRawBufferPointer,
    into sequences: inout SequenceGaps, _ now: Duration
  ) {
    if streams[number].sequence < 0 {
      // Without a number there are more streams than can be followed.
      guard let sequence = sequences.number(of: name) else { return }
      streams[number].sequence = Int32(sequence)
    }
    let last = streams[number].lastID
    streams[number].lastID = ids.last
    sequences.delivered(
      ids, of: Int(streams[number].sequence), receivedAt: tick.receivedAt, eventTime: tick.eventTime,
      lastOfConnection: last < 0 ? nil : last, at: now)
  }

  private mutating func note(_ number: Int, at time: Int64) {
    if number == streams.count {
      streams.append(Stream(lastReceived: time, lastActive: active))
    } else {
      streams[number].received(at: time, active: active)
    }
  }

  /// Takes in what a later connection has left, which has ended. A stream that was silent until then may be silent as
  /// long again.
  mutating func absorb(_ newer: StreamTrack) {
    for (other, stream) in newer.streams.enumerated() {
      guard let number = table.number(of: newer.table.name(other)) else { continue }
      var ended = stream
      ended.longestPause = max(ended.longestPause, newer.active - ended.lastActive)
      // How far this connection is with them, the later one does not tell.
      (ended.lastID, ended.sequence) = (-1, -1)
      if number == streams.count {
        streams.append(ended)
      } else {
        ended.longestPause = max(ended.longestPause, streams[number].longestPause)
        ended.ticks = Int32(clamping: Int64(ended.ticks) + Int64(streams[number].ticks))
        (ended.lastID, ended.sequence) = (streams[number].lastID, streams[number].sequence)
        streams[number] = ended
      }
    }
  }

  /// Microseconds UTC; nil for a stream that has not delivered.
  func lastReceived(_ stream: String) -> Int64? { table.existing(stream).map { streams[$0].lastReceived } }

  /// The last of a stream's ids; nil before any.
  func lastID(_ stream: String) -> Int64? {
    table.existing(stream).flatMap { streams[$0].lastID < 0 ? nil : streams[$0].lastID }
  }

  /// The rhythm of a stream.
  struct Rhythm: Equatable, Sendable {
    /// Microseconds UTC.
    var lastReceived: Int64
    var longestPause: Duration
    /// A silence that does not belong to it.
    var silence: Duration { longestPause * StreamTrack.patience }
  }

  /// The time in which the connection has delivered, as rhythms are counted: while it is silent itself no stream of it
  /// is. A moment longer than until its last delivery, but not beyond `now`.
  func activeTime(at now: Duration) -> Duration {
    guard let deliveredAt else { return .zero }
    return .microseconds(active) + min(max(now - deliveredAt, .zero), Self.activity)
  }

  /// The streams that have one.
  var rhythms: [String: Rhythm] {
    var rhythms: [String: Rhythm] = [:]
    for (number, stream) in streams.enumerated() where stream.ticks >= Self.ticksForRhythm {
      rhythms[table.name(number)] = Rhythm(
        lastReceived: stream.lastReceived, longestPause: .microseconds(max(stream.longestPause, 0)))
    }
    return rhythms
  }
}
