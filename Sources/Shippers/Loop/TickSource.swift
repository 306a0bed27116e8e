import WAL

/// A tick of a page, or a row that could not be read.
package struct TickDelivery: Sendable {
  package enum Content: Sendable {
    /// The page is shared by all of its ticks.
    case tick(TickBatch, index: Int)
    case bad(TickPage.BadRow)
  }

  package let offset: Offset
  package let content: Content
}

/// The source of a consumer that delivers tick by tick: pages of the log, one delivery for each tick.
package actor TickSource: DeliverySource {
  package typealias Delivery = TickDelivery

  private let reader: LogReader
  private let tail: Tail
  private var position: Offset

  /// Ticks read at a time; with their bytes they bound what a backlog takes of memory.
  package static let pageTicks = 1_000

  package init(reader: LogReader, tail: Tail, next: Offset) {
    self.reader = reader
    self.tail = tail
    position = next
  }

  package func next() async throws -> [Prepared<TickDelivery>] {
    while !tail.control.isStopping {
      // Asked before reading: what was appended before the drain began is in the page.
      let isDraining = tail.control.isDraining
      let page = try await reader.page(from: position, maximumTicks: Self.pageTicks)
      if let range = page.range {
        position = range.upperBound.next
        return deliveries(page)
      }
      if isDraining { return [] }
      try await tail.wait(beyond: position.previous)
    }
    return []
  }

  private func deliveries(_ page: TickPage) -> [Prepared<TickDelivery>] {
    var deliveries = page.offsets.enumerated().map { index, offset in
      TickDelivery(offset: offset, content: .tick(page.ticks, index: index))
    }
    if !page.bad.isEmpty {
      deliveries += page.bad.map { TickDelivery(offset: $0.offset, content: .bad($0)) }
      deliveries.sort { $0.offset < $1.offset }
    }
    return deliveries.map { Prepared(range: $0.offset...$0.offset, delivery: $0) }
  }
}
