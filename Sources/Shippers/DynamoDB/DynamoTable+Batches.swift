import AWS
import Base

extension DynamoTable: ItemBatchTable {
  var inBatches: (any ItemBatchTable)? { writeMode == .batch ? self : nil }

  func put(_ attributes: ItemAttributes) -> [UInt8] { putEncoder.put(attributes) }

  func write(puts: [[UInt8]]) async throws -> BatchOutcome {
    do {
      return outcome(
        try await client.batchWriteItem(body: putEncoder.encode(puts), table: name), of: puts.count)
    } catch let error as AWSError where DynamoTable.blamesTheItem(error) {
      return refused(error)
    }
  }

  func submit(
    puts: [[UInt8]], isPatient: Bool,
    _ completion: @escaping @Sendable (Result<BatchOutcome, any Error>) -> Wake?
  ) -> CallOff? {
    client.submitBatchWriteItem(body: putEncoder.encode(puts), table: name, isPatient: isPatient) {
      [self] result in
      switch result {
      case .success(let written): return completion(.success(outcome(written, of: puts.count)))
      case .failure(let error as AWSError) where DynamoTable.blamesTheItem(error):
        return completion(.success(refused(error)))
      case .failure(let error): return completion(.failure(error))
      }
    }
  }

  private func outcome(_ written: WrittenItems, of count: Int) -> BatchOutcome {
    note(written.answer.date)
    guard !written.unprocessed.isEmpty else { return .written }
    var error = AWSError(
      "UnprocessedItems", .throttled, operation: "BatchWriteItem",
      message: "\(written.unprocessed.count) of \(count) items came too fast for the table",
      requestID: written.answer.requestID)
    error.resource = .table(name, region: client.region)
    return .partly(unwritten: written.unprocessed.map(DynamoTable.key), error)
  }

  private func refused(_ error: AWSError) -> BatchOutcome {
    note(error.date)
    return .refused
  }

  private static func key(_ item: DynamoItem) -> ItemKey {
    func text(_ name: ItemAttributes.Name) -> String {
      if case .string(let text) = item[name.text] { text } else { "" }
    }
    return ItemKey(streamType: text(.streamType), isoTimestamp: text(.isoTimestamp))
  }
}
