import WAL

/// Gaps that no slot of this run opened, and when they end: with the first data of all the slots that carry
/// streams of theirs.
///
/// Streams that are not subscribed to any more do not count; if none is left, the first data of any slot ends
/// the gap. Pure; lives beside the slots.
struct InheritedGaps: Sendable {
  private struct Inherited {
    var gaps: OpenGaps
    var streams: Set<String>
    /// As the log has it; nil for one of this run.
    var gap: Gap?
  }

  private var open: [Inherited] = []
  private var slots: [SlotID: Set<String>] = [:]
  private var alive: Set<SlotID> = []
  /// Slots have changed since gaps were looked at.
  private var isChanged = false

  /// - Parameter gaps: what ``TickLog/beginFeed(streams:)`` found open.
  init(_ gaps: [Gap]) {
    open = gaps.map { Inherited(gaps: OpenGaps([$0.id]), streams: Set($0.streams), gap: $0) }
  }

  var isEmpty: Bool { open.isEmpty }

  /// True if open gaps name all of the streams: then the loss of a connection needs no gap of its own.
  func cover(_ streams: [String]) -> Bool {
    !open.isEmpty && streams.allSatisfy { stream in open.contains { $0.streams.contains(stream) } }
  }

  /// Gives up the gaps of single streams that are still wanted: any other's data says nothing about them.
  mutating func takeStreamGaps(slots streams: Set<String>) -> [Gap] {
    let taken = open.compactMap(\.gap).filter {
      $0.cause == .unsubscribed && !streams.isDisjoint(with: $0.streams)
    }
    let ids = Set(taken.map(\.id))
    open.removeAll { $0.gap.map { ids.contains($0.id) } == true }
    return taken
  }

  /// Says which streams each slot carries; at the start and after each change of the list.
  mutating func setSlots(_ slots: [SlotID: [String]]) {
    self.slots = slots.mapValues { Set($0) }
    alive.formIntersection(slots.keys)
    isChanged = true
  }

  /// Takes over the open gap of a slot that is retired.
  mutating func adopt(_ gaps: OpenGaps, streams: [String]) {
    open.append(Inherited(gaps: gaps, streams: Set(streams)))
    isChanged = true
  }

  /// Data of a slot has arrived, at microseconds UTC.
  /// - Returns: the ends of gaps, to be written with it. Costs nothing once all are closed.
  mutating func dataArrived(_ slot: SlotID, at time: Int64) -> [GapChange] {
    if open.isEmpty { return [] }
    let isNew = alive.insert(slot).inserted
    guard isNew || isChanged else { return [] }
    isChanged = false
    var changes: [GapChange] = []
    open.removeAll { inherited in
      let isOver = slots.allSatisfy { id, streams in
        alive.contains(id) || streams.isDisjoint(with: inherited.streams)
      }
      if isOver { changes.append(.close(endedAt: time, inherited.gaps)) }
      return isOver
    }
    return changes
  }
}
