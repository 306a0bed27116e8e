import Base

/// Amazon Kinesis Data Streams, as far as it is needed here.
///
/// Every call throws `AWSError` (`Code.resourceNotFound` for a stream that is not there), or `CancellationError`. Without
/// `retry` it is tried once.
///
/// Reference: https://docs.aws.amazon.com/kinesis/latest/APIReference/
package struct KinesisClient: Sendable {
  package let region: String
  private let putRecords: JSONService
  private let describeStreamSummary: JSONService

  /// For a request of several megabytes on a slow way.
  private static let putTimeout = Duration.seconds(30)

  package init(_ client: AWSClient) {
    region = client.region
    let keys = SigningKeyCache(region: client.region, service: Service.kinesis.rawValue)
    func service(_ operation: String, timeout: Duration = JSONService.timeout) -> JSONService {
      JSONService(
        client, .kinesis, operation: operation, target: "Kinesis_20131202",
        contentType: "application/x-amz-json-1.1", signingKeys: keys, timeout: timeout)
    }
    putRecords = service("PutRecords", timeout: Self.putTimeout)
    describeStreamSummary = service("DescribeStreamSummary")
  }

  /// Puts records into a stream, each for itself: those that the result does not name are durable when this returns.
  ///
  /// - Parameters:
  ///   - body: the request's JSON, ready made, with the stream that errors name.
  ///   - count: the records in it.
  /// - Returns: the refused ones, in their order; it is worth another try with them.
  ///
  /// Reference: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
  package func putRecords(
    body: [UInt8], count: Int, stream: String, retry: Retry = .never
  ) async throws -> [RefusedRecord] {
    let response = try await putRecords.call(body, on: resource(stream), retry: retry)
    guard let results = PutRecordsResults(response.body), results.count == count else {
      // Nothing counts as put.
      throw failure(
        .unexpectedAnswer, .transient, "the answer does not tell of each record", stream, response)
    }
    let refused = results.refused.map { place, fault in
      RefusedRecord(
        place: place,
        error: failure(
          AWSError.Code(rawValue: fault.code), AWSErrorClassifier.kind(code: fault.code) ?? .transient,
          ServiceFault.firstLine(fault.message), stream, response))
    }
    if let told = refused.first(where: { $0.error.kind == .throttled }) ?? refused.first {
      putRecords.partlyRefused(told.error.kind)
    }
    return refused
  }

  private func failure(
    _ code: AWSError.Code, _ kind: AWSError.Kind, _ message: String, _ stream: String,
    _ response: HTTPResponse
  ) -> AWSError {
    var error = AWSError(
      code, kind, operation: "PutRecords", message: message, requestID: response.requestID)
    error.resource = resource(stream)
    error.isFromService = true
    return error
  }

  /// A stream's state and limits.
  package func describeStream(_ name: String, retry: Retry = .never) async throws -> KinesisStreamDescription
  {
    let (output, answer) = try await describeStreamSummary.call(
      ["StreamName": name], on: resource(name), retry: retry, as: Output.self)
    let summary = output.streamDescriptionSummary
    return KinesisStreamDescription(
      name: summary.streamName, status: summary.streamStatus, shards: summary.openShardCount,
      maximumRecordBytes: summary.maxRecordSizeInKiB.map { min(max($0, 0), 1 << 20) << 10 }, answer: answer)
  }

  private func resource(_ stream: String) -> AWSResource { .kinesisStream(stream, region: region) }

  private struct Output: Decodable {
    struct Summary: Decodable {
      var streamName: String
      var streamStatus: String
      var openShardCount: Int
      var maxRecordSizeInKiB: Int?
    }
    var streamDescriptionSummary: Summary
  }
}

/// A record that PutRecords did not take, and why.
package struct RefusedRecord: Sendable, Equatable {
  /// In the request, from 0.
  package let place: Int
  package let error: AWSError

  package init(place: Int, error: AWSError) {
    self.place = place
    self.error = error
  }
}

/// A stream as DescribeStreamSummary tells it.
package struct KinesisStreamDescription: Sendable, Equatable {
  package var name: String
  /// `ACTIVE`, `CREATING`, …
  package var status: String
  /// Those that are open.
  package var shards: Int
  /// Of data and partition key of one record; nil where the answer tells none.
  package var maximumRecordBytes: Int?
  package var answer: Answer

  package init(
    name: String, status: String, shards: Int, maximumRecordBytes: Int? = nil,
    answer: Answer = Answer(date: nil)
  ) {
    self.name = name
    self.status = status
    self.shards = shards
    self.maximumRecordBytes = maximumRecordBytes
    self.answer = answer
  }
}
