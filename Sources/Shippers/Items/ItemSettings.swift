/// The way from ticks to items.
package struct ItemSettings: Sendable, Equatable {
  /// `DYNAMO_TABLE_NAME`
  package let table: String
  /// `DYNAMO_CONCURRENCY`: requests in flight at most.
  package let concurrency: Int
  /// `RETENTION_TTL_DAYS`
  package let retentionDays: Int

  package init(table: String, concurrency: Int = 20, retentionDays: Int = 1) {
    self.table = table
    self.concurrency = concurrency
    self.retentionDays = retentionDays
  }
}
