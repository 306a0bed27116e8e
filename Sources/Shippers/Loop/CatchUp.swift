import WAL

/// The backlog that was there when trouble was over, and when it is shipped. A pure value.
struct CatchUp: Equatable {
  /// A consumer's next offset, and the log's head.
  typealias Position = (next: Offset, head: Offset)

  let ticks: Int
  private let last: Offset
  private let start: Duration

  /// - Returns: `nil` where nothing waits.
  init?(_ position: Position, at now: Duration) {
    guard position.next <= position.head else { return nil }
    ticks = (position.next...position.head).length
    last = position.head
    start = now
  }

  /// - Returns: the time that it took; `nil` while some of it waits.
  func isOver(_ position: Position, at now: Duration) -> Duration? {
    position.next > last ? now - start : nil
  }
}
