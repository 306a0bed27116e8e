import WAL

struct StreamWatch: Sendable {
  struct Limits: Equatable, Sendable {
    var silence: Duration = .seconds(300)
    var standstill: Duration = .seconds(300)
    var streams = 65_536
  }

  enum Finding: Equatable, Sendable {
    /// It has delivered nothing since it was subscribed to.
    case silent(stream: String)
    /// Its ticks keep coming, but their event time (milliseconds UTC) stands still.
    case standing(stream: String, eventTime: Int64)
  }

  private(set) var late = 0

  init(limits: Limits = .init()) {}
  mutating func subscribed(_ streams: [String], at now: Duration) {}
  mutating func unsubscribed(_ streams: [String]) {}
  mutating func note(_ ticks: TickBatch, at now: Duration) {}
  mutating func noteArray(_ name: String, at now: Duration) {}
  mutating func review(at now: Duration) -> [Finding] { [] }
}
