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
package struct TickSource: DeliverySource {
  package typealias Delivery = TickDelivery

  private let pages: PageSource

  /// Ticks read at a time; with their bytes they bound what a backlog takes of memory.
  package static let pageTicks = 1_000

  package init(reader: LogReader, tail: Tail, next: Offset) {
    pages = PageSource(reader: reader, tail: tail, next: next, pageTicks: Self.pageTicks)
  }

  package func next() async throws -> [Prepared<TickDelivery>] {
    try await pages.next().flatMap { Self.deliveries($0.delivery) }
  }

  private static func deliveries(_ page: TickPage) -> [Prepared<TickDelivery>] {
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
