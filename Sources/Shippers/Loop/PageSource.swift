import Base
import WAL

/// The source of a consumer that delivers what comes together: a page of the log for each delivery.
///
/// At the head of the log a page that is not full is read 50 ms after the one before: what comes in small bursts goes
/// out in groups, for a waking costs more than a tick. The first one after a silence waits for nothing.
package actor PageSource: DeliverySource {
  private let reader: LogReader
  private let tail: Tail
  private let pageTicks: Int
  private var position: Offset
  /// The time before which a page is read only if it is full, on the machine's monotonic clock.
  private var dueAt = Duration.zero

  private let pace: Duration

  /// - Parameters:
  ///   - pageTicks: the most of one page; it has fewer where they are large.
  ///   - pace: the time between two pages that are not full.
  package init(
    reader: LogReader, tail: Tail, next: Offset, pageTicks: Int, pace: Duration = .milliseconds(50)
  ) {
    self.reader = reader
    self.tail = tail
    self.pageTicks = pageTicks
    self.pace = pace
    position = next
  }

  package func next() async throws -> [Prepared<TickPage>] {
    while true {
      try await tail.gather(pageTicks, from: position, until: dueAt, on: reader.thread)
      if tail.control.isStopping { break }
      // Asked before reading: what was appended before the drain began is in the page.
      let isDraining = tail.control.isDraining
      let page = try await reader.page(from: position, maximumTicks: pageTicks)
      if let range = page.range {
        position = range.upperBound.next
        dueAt = MonotonicClock.now() + pace
        return [Prepared(range: range, delivery: page)]
      }
      if isDraining { return [] }
    }
    return []
  }
}
