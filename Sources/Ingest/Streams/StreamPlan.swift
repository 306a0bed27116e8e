/// One planned connection; numbers are never used again within a run.
struct SlotID: Hashable, Comparable, Sendable {
  let number: Int

  static func < (a: SlotID, b: SlotID) -> Bool { a.number < b.number }
}

/// The plan of which connection carries which streams: a stream stays in its slot for as long as it is in the list.
struct StreamPlan: Sendable {
  /// Each list in ascending order; a slot is in one of them at most.
  struct Changes: Equatable, Sendable {
    var added: [SlotID] = []
    /// Their streams are others than before.
    var changed: [SlotID] = []
    /// They carry nothing any more and are not in ``StreamPlan/slots``.
    var retired: [SlotID] = []

    var isEmpty: Bool { added.isEmpty && changed.isEmpty && retired.isEmpty }
  }

  private(set) var slots: [SlotID: [String]] = [:]
  private let capacity: Int
  private var lastNumber = 0

  /// Spreads the list over as few slots as can carry it, in its order and evenly. Names given twice count once.
  ///
  /// - Parameter capacity: streams that a connection may have.
  init(streams: [String], capacity: Int) {
    self.capacity = capacity
    _ = update(to: streams)
  }

  /// New streams go where there is room, into the lowest slot first, then into new slots.
  mutating func update(to streams: [String]) -> Changes {
    var changes = Changes()
    var seen: Set<String> = []
    let wanted = streams.filter { seen.insert($0).inserted }
    let before = slots
    let kept = slots.mapValues { $0.filter(seen.contains) }
    let carried = Set(kept.values.joined())
    var new = wanted.filter { !carried.contains($0) }[...]
    for (id, streams) in kept.sorted(by: { $0.key < $1.key }) {
      let room = min(capacity - streams.count, new.count)
      slots[id] = streams + new.prefix(room)
      new = new.dropFirst(room)
      if slots[id] == [] {
        slots[id] = nil
        changes.retired.append(id)
      } else if slots[id] != before[id] {
        changes.changed.append(id)
      }
    }
    changes.added = addSlots(for: new)
    return changes
  }

  private mutating func addSlots(for streams: ArraySlice<String>) -> [SlotID] {
    var added: [SlotID] = []
    var rest = streams
    while !rest.isEmpty {
      let slotsLeft = (rest.count - 1) / capacity + 1
      let share = (rest.count - 1) / slotsLeft + 1
      lastNumber += 1
      let id = SlotID(number: lastNumber)
      slots[id] = Array(rest.prefix(share))
      rest = rest.dropFirst(share)
      added.append(id)
    }
    return added
  }
}
