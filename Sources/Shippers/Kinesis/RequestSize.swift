/// The count of records that may go into one request: lowered by the share that the Kinesis stream throttles, at most
/// halved, and raised by a fiftieth of the most for each answer that throttles none. A pure value.
///
/// By the share, because one shard that has enough says nothing about the others.
struct RequestSize {
  let maximum: Int
  private(set) var value: Int

  init(maximum: Int = RecordLimits.recordsAtATime) {
    self.maximum = maximum
    value = maximum
  }

  /// - Parameters:
  ///   - throttled: records of the request that were refused because there are too many.
  ///   - count: all records of the request.
  mutating func answered(throttled: Int, of count: Int) {
    if throttled == 0 {
      value = min(maximum, value + max(1, maximum / 50))
    } else {
      value = max(1, value / 2, value * (count - throttled) / count)
    }
  }
}
