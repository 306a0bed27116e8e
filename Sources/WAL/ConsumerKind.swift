/// The facts about a consumer that a check or a salvage of a log needs; the log itself knows no consumer by name.
package struct ConsumerKind: Sendable, Equatable {
  package let name: ConsumerName
  /// Whether whatever it passes lies in one of its batches, unless it is dead or skipped.
  package let shipsInBatches: Bool

  package init(name: ConsumerName, shipsInBatches: Bool) {
    self.name = name
    self.shipsInBatches = shipsInBatches
  }
}

extension [ConsumerKind] {
  /// A consumer that is not listed, of another build perhaps, counts as one without batches until it has some.
  package func shipsInBatches(_ name: ConsumerName) -> Bool {
    first { $0.name == name }?.shipsInBatches ?? false
  }
}
