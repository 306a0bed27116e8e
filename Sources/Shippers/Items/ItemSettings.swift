/// The way from ticks to items.
package struct ItemSettings: Sendable, Equatable {
  /// The request that items are shipped by.
  package enum WriteMode: String, Sendable, CaseIterable {
    /// One item: attributes that somebody else has added to it stay.
    case update
    /// Up to ``ItemBatch/mostItems``, each in place of the one with its key.
    case batch
  }

  /// `DYNAMO_TABLE_NAME`
  package let table: String
  /// `DYNAMO_WRITE_MODE`
  package let writeMode: WriteMode
  /// `DYNAMO_CONCURRENCY`: requests in flight at most.
  package let concurrency: Int
  /// `RETENTION_TTL_DAYS`
  package let retentionDays: Int

  package init(
    table: String, writeMode: WriteMode = .update, concurrency: Int = 20, retentionDays: Int = 1
  ) {
    self.table = table
    self.writeMode = writeMode
    self.concurrency = concurrency
    self.retentionDays = retentionDays
  }
}
