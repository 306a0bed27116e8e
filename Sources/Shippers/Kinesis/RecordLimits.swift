import Base

/// The limits of PutRecords.
///
/// Reference: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
enum RecordLimits {
  static let recordsAtATime = 500
  /// Of a whole request, as it is sent: whichever way its size is counted, it is not above.
  static let requestBytes = 5 << 20
  /// The size that each Kinesis stream takes of one record. It may be told to take larger ones.
  static let usualRecordBytes = 1 << 20

  /// The count of records, from the first, that go into one request: one at least.
  ///
  /// - Parameter most: so many at most; a larger record than fits goes alone.
  static func portion(_ records: ArraySlice<StreamRecord>, atMost most: Int) -> Int {
    var bytes = 0
    var count = 0
    for record in records.prefix(min(most, recordsAtATime)) {
      bytes += record.sentBytes
      if count > 0, bytes > requestBytes { break }
      count += 1
    }
    return count
  }
}

extension StreamRecord {
  /// The size that a Kinesis stream's limit is about.
  var bytes: Int { key.count + data.count }

  /// At most so much of a request, with the names of its members and all escapes.
  var sentBytes: Int { Base64.length(of: data.count) + 6 * key.count + 32 }
}
