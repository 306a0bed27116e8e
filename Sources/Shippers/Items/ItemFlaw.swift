import Base

/// The reason why a tick can be no item, whatever the table's state: it becomes a dead letter.
struct ItemFlaw: Error, Equatable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
  init(_ error: JSONError) { description = "\(error)" }
}
