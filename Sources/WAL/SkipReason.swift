/// Why ranges are skipped, as `skipped.why` says it.
enum SkipReason {
  static let seek = "seek"
  static let discarded = "dead letter discarded"
  static let trimmed = "trimmed while the consumer was disabled"
  static let salvaged = "passed before the salvage; its batches could not be read"
}
