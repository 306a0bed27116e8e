import WAL

/// The source of a consumer that delivers what comes together: a page of the log for each delivery.
package actor PageSource: DeliverySource {
  private let reader: LogReader
  private let tail: Tail
  private let pageTicks: Int
  private var position: Offset

  /// - Parameter pageTicks: the most of one page; it has fewer where they are large.
  package init(reader: LogReader, tail: Tail, next: Offset, pageTicks: Int) {
    self.reader = reader
    self.tail = tail
    self.pageTicks = pageTicks
    position = next
  }

  package func next() async throws -> [Prepared<TickPage>] {
    while !tail.control.isStopping {
      // Asked before reading: what was appended before the drain began is in the page.
      let isDraining = tail.control.isDraining
      let page = try await reader.page(from: position, maximumTicks: pageTicks)
      if let range = page.range {
        position = range.upperBound.next
        return [Prepared(range: range, delivery: page)]
      }
      if isDraining { return [] }
      try await tail.wait(beyond: position.previous)
    }
    return []
  }
}
