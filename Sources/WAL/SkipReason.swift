/// Why ranges are skipped, as `skipped.why` says it.
package enum SkipReason {
  package static let seek = "seek"
  package static let discarded = "dead letter discarded"
  package static let trimmed = "trimmed while the consumer was disabled"
  package static let salvaged = "passed before the salvage; its batches could not be read"
}
