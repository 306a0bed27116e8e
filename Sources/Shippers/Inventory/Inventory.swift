/// The view of what is at a destination, for a comparison of the log with it.
package enum Inventory: Sendable {
  /// Objects, each of a planned batch.
  case objects(ObjectInventory)
  /// One thing for each tick.
  case ticks(any TickInventory)
}
