import WAL

struct Overlap: Sendable {
  typealias ConnectionID = FeedSession.ConnectionID

  struct Limits: Equatable, Sendable {
    var rememberedTicks = 262_144
    var heldBytes = 8 << 20
    var hold: Duration = .seconds(2)
    var linger: Duration = .seconds(10)
    var activity: Duration = .seconds(10)
  }

  private(set) var hasCaughtUp = false
  private(set) var duplicates = 0
  var deadline: Duration? { nil }

  init(limits: Limits = .init()) {}
  mutating func begin(leader: ConnectionID, follower: ConnectionID, at now: Duration) -> Delivery { Delivery() }
  mutating func followerOpened(at now: Duration) {}
  mutating func pass(_ delivery: Delivery, from id: ConnectionID, at now: Duration) -> Delivery { delivery }
  mutating func release(at now: Duration) -> Delivery { Delivery() }
  mutating func ended(_ id: ConnectionID, at now: Duration) -> Delivery { Delivery() }
  mutating func expire(at now: Duration) -> Delivery { Delivery() }
}
