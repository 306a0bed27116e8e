import WAL

/// The deliveries on their way to a sink, in the order of their offsets, and how far all of them are confirmed.
///
/// A pure value: deliveries start in order, are confirmed in any order, and leave as a contiguous prefix,
/// which is what a consumer may commit.
struct DeliveryWindow<Confirmation> {
  private struct Entry {
    let range: OffsetRange
    var confirmation: Confirmation?
  }

  /// From `first` up to `next`, which is not in it.
  struct Confirmed {
    let first: Offset
    private(set) var next: Offset
    private(set) var confirmations: [Confirmation]

    /// - Parameter next: the offset behind them.
    init(from first: Offset, to next: Offset, _ confirmations: [Confirmation]) {
      self.first = first
      self.next = next
      self.confirmations = confirmations
    }

    /// Adds what comes next.
    mutating func append(_ more: Confirmed) {
      precondition(more.first == next, "offset \(more.first) cannot follow \(next.previous)")
      next = more.next
      confirmations += more.confirmations
    }
  }

  private var entries: [Entry] = []
  private var firstEntry = 0
  /// The consumer's next offset once everything taken by `takeConfirmed` is committed.
  private(set) var next: Offset

  /// - Parameter next: the consumer's committed next offset.
  init(next: Offset) {
    self.next = next
  }

  /// Deliveries that have started and were not taken yet, confirmed ones waiting for others included.
  var count: Int { entries.count - firstEntry }

  /// Deliveries that have started and are not confirmed.
  private(set) var unconfirmed = 0

  /// Deliveries that are confirmed and were not taken yet.
  var confirmed: Int { count - unconfirmed }

  /// The offset that the next delivery must start at.
  var end: Offset { count == 0 ? next : entries[entries.count - 1].range.upperBound.next }

  /// Notes that a delivery has started.
  mutating func start(_ range: OffsetRange) {
    precondition(range.lowerBound == end, "a delivery of \(range) cannot follow offset \(end.previous)")
    entries.append(Entry(range: range))
    unconfirmed += 1
  }

  /// Notes that the sink has confirmed a delivery.
  mutating func confirm(_ range: OffsetRange, _ confirmation: Confirmation) {
    let index = index(startingAt: range.lowerBound)
    precondition(
      entries[index].range == range && entries[index].confirmation == nil,
      "a delivery of \(range) was confirmed that is not on its way")
    entries[index].confirmation = confirmation
    unconfirmed -= 1
  }

  /// Removes the longest confirmed prefix and moves `next` past it; `nil` if the oldest is unconfirmed.
  mutating func takeConfirmed() -> Confirmed? {
    let first = next
    var confirmations: [Confirmation] = []
    while firstEntry < entries.count, let confirmation = entries[firstEntry].confirmation {
      confirmations.append(confirmation)
      next = entries[firstEntry].range.upperBound.next
      firstEntry += 1
    }
    guard !confirmations.isEmpty else { return nil }
    if firstEntry == entries.count || firstEntry > 1_024 {
      entries.removeFirst(firstEntry)
      firstEntry = 0
    }
    return Confirmed(from: first, to: next, confirmations)
  }

  private func index(startingAt offset: Offset) -> Int {
    var low = firstEntry
    var high = entries.count - 1
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].range.upperBound < offset { low = middle + 1 } else { high = middle }
    }
    precondition(low < entries.count, "nothing is on its way at offset \(offset)")
    return low
  }
}

extension DeliveryWindow.Confirmed: Sendable where Confirmation: Sendable {}
