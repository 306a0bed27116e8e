import AWS
import Base

/// A table that takes several items with one request.
///
/// Its calls throw as those of ``ItemTable``; then any of the items may have been written.
protocol ItemBatchTable: ItemTable {
  /// One item's part of such a request.
  func put(_ attributes: ItemAttributes) -> [UInt8]

  /// Writes items in place of those with the same keys. No two of them have one key.
  func write(puts: [[UInt8]]) async throws -> BatchOutcome

  /// Begins to write them without a task that waits for the end; as ``ItemTable/submit(_:isPatient:_:)``.
  func submit(
    puts: [[UInt8]], isPatient: Bool,
    _ completion: @escaping @Sendable (Result<BatchOutcome, any Error>) -> Wake?
  ) -> CallOff?
}

/// The end of a request for several items.
enum BatchOutcome: Sendable {
  /// All are durable.
  case written
  /// All are durable but these, which came too fast; the error says so.
  case partly(unwritten: [ItemKey], AWSError)
  /// The request is not acceptable as it is. Which of its items is to blame is not known.
  case refused
}
