import AWS
import Base

/// A place that records are put into: a Kinesis stream, or files that take its place.
///
/// Everything but cancellation that these calls throw is worth another try, later.
protocol RecordPlace: Sendable {
  /// Asks for the greatest size that a record may have, of its data and its key.
  func recordLimit() async throws -> Int

  /// Puts records; those that the result does not name are durable when it returns.
  ///
  /// - Parameter records: one or more, within ``RecordLimits``.
  /// - Returns: the refused ones, in their order; they are worth another try, later.
  func put(_ records: ArraySlice<StreamRecord>) async throws -> [RefusedRecord]

  /// Looks for `doctor` whether records can be put. Puts none, unless `writes`.
  ///
  /// - Throws: `CancellationError` alone.
  func look(writes: Bool) async throws -> [DoctorFinding]
}

extension RecordPlace {
  /// The reason why the place can never take a record; `nil` for one that it may take.
  func flaw(_ record: StreamRecord) async throws -> RecordFlaw? {
    let limit = try await recordLimit()
    guard record.bytes > limit else { return nil }
    return RecordFlaw(
      "the record has \(Figures.grouped(record.bytes)) bytes with its key, and \(Figures.grouped(limit)) are the most "
        + "that its Kinesis stream takes")
  }
}
