import WAL

extension RejectedInput {
  /// Decodes input that was no tick once more, as another version of the program may understand it.
  ///
  /// - Parameter receivedAt: microseconds since 1970, UTC: when it came.
  /// - Returns: its ticks, or why it still is none.
  package static func ticks(ofPayload payload: [UInt8], receivedAt: Int64) -> Result<TickBatch, NoTick> {
    var batch = TickBatch()
    var rejected: [RejectedInput] = []
    var decoder = MessageDecoder()
    let outcome = payload.withUnsafeBufferPointer {
      decoder.decode($0, receivedAt: receivedAt, into: &batch, rejected: &rejected)
    }
    if let cause = rejected.first?.cause { return .failure(NoTick(cause: cause)) }
    switch outcome {
    case .answer: return .failure(NoTick(cause: "it is the answer to a request"))
    case .serverShutdown: return .failure(NoTick(cause: "it is the announcement of an end"))
    case .ticks, .rejected:
      return batch.isEmpty ? .failure(NoTick(cause: "it has no events")) : .success(batch)
    }
  }

  /// Why input is no tick.
  package struct NoTick: Error, Equatable {
    package let cause: String
  }
}
