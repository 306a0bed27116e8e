import AWS
import Logging
import WAL

/// How ticks become items.
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

extension Shipping {
  /// Consumers `s3` and `dynamodb`, those that are given settings.
  ///
  /// - Parameters:
  ///   - clientAt: a client for another S3 endpoint, where an earlier start delivered to.
  package static func toAWS(
    _ client: AWSClient, objects: (settings: ObjectSettings, bucket: String)?, items: ItemSettings?,
    clientAt: @escaping @Sendable (_ s3Endpoint: String) -> AWSClient?
  ) -> Shipping {
    var members: [Member] = []
    if let (settings, bucket) = objects {
      let endpoint = client.endpoints.endpoint(.s3, region: client.region).description
      members.append(
        objectMember(
          .s3, settings, .s3(endpoint: endpoint, bucket: bucket, prefix: settings.folder),
          store: S3Store(client: S3Client(client), bucket: bucket)
        ) { destination in
          guard case .s3(let oldEndpoint, let oldBucket, _) = destination else { return nil }
          let place = oldEndpoint == endpoint ? client : clientAt(oldEndpoint)
          return place.map { S3Store(client: S3Client($0), bucket: oldBucket) }
        })
    }
    if let items {
      members.append(
        itemMember(
          .dynamodb, items, .dynamodb(region: client.region, table: items.table),
          table: DynamoTable(client: DynamoDBClient(client), name: items.table)))
    }
    return Shipping(members)
  }

  /// Consumers `local-s3` and `local-dynamodb` under one folder, those that are given settings.
  ///
  /// - Parameter folder: absolute, made if its parent is there.
  package static func toFolder(
    _ folder: String, objects: ObjectSettings?, items: ItemSettings?, clock: ShippingClock = .system
  ) throws -> Shipping {
    try LocalFolder.makeFolder(folder)
    var members: [Member] = []
    if let objects {
      members.append(
        objectMember(
          .localS3, objects, .folder(folder), store: try LocalObjectStore(root: folder + "/objects")
        ) { destination in
          guard case .folder(let old) = destination else { return nil }
          return try LocalObjectStore(root: old + "/objects")
        })
    }
    if let items {
      members.append(
        itemMember(
          .localDynamoDB, items, .folder(folder),
          table: try LocalTable(path: folder + "/table.db", wall: clock.wall)))
    }
    return Shipping(members)
  }

  static func objectMember(
    _ name: ConsumerName, _ settings: ObjectSettings, _ destination: Destination, store: any ObjectStore,
    openStore: @escaping @Sendable (Destination) throws -> (any ObjectStore)?
  ) -> Member {
    Member(request: ConsumerRequest(name: name, destination: destination.json)) { consumer, context in
      try await context.withReader { reader in
        let logID = try await reader.logID()
        let marker = LogMarker(
          consumer: name, logID: logID, settings: settings, destination: destination,
          // Shipped plans may have been trimmed.
          highestPlanned: max(
            try await reader.highestPlanned(of: name), try await reader.highestPassed(by: name)),
          store: store, log: context.log, receivedAt: { try await reader.receivedAt(from: $0) },
          attempts: context.attempts, clock: context.clock)
        let sink = ObjectSink(
          consumer: name, settings: settings, destination: destination, store: store, openStore: openStore,
          log: context.log, logID: logID, tail: context.tail, attempts: context.attempts, marker: marker)
        try await context.withReader { gapReader in
          let gaps = GapShipper(
            consumer: name, settings: settings, destination: destination, store: store, log: context.log,
            logID: logID, reader: gapReader, marker: marker, attempts: context.attempts(at: "gaps"),
            clock: context.clock)
          try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await marker.keepWriting() }
            group.addTask { try await gaps.keepWriting() }
            try await context.ship(sink, reader: reader, next: consumer.next)
            group.cancelAll()
          }
          await marker.writeLast(logger: context.logger)
          try await gaps.writeLast(logger: context.logger)
        }
      }
    } redeliver: { page, _ in
      .refused(
        page.bad.first?.cause
          ?? "its row can be read again, but its object is frozen without it: `tickwal replay --to s3 --prefix P` makes a copy that has it"
      )
    }
  }

  static func itemMember(
    _ name: ConsumerName, _ settings: ItemSettings, _ destination: Destination, table: any ItemTable
  ) -> Member {
    Member(request: ConsumerRequest(name: name, destination: destination.json)) { consumer, context in
      try await context.withReader { reader in
        let sink = ItemSink(
          consumer: name, retentionDays: settings.retentionDays, table: table, tail: context.tail,
          attempts: context.attempts, pacing: ItemPacing(concurrency: settings.concurrency))
        try await context.ship(sink, reader: reader, next: consumer.next)
      }
    } redeliver: { page, wall in
      try await table.redeliver(page, retentionDays: settings.retentionDays, wall: wall)
    }
  }
}

extension Shipping.Context {
  /// For work beside the data's, whose trouble is its own.
  fileprivate func attempts(at work: String) -> Attempts {
    var logger = logger
    logger[metadataKey: "work"] = "\(work)"
    return attempts.reporting(to: TroubleReporter(logger: logger, now: clock.now))
  }

  fileprivate var tail: Tail { Tail(log: log, control: control, clock: clock) }

  fileprivate func withReader(_ body: (LogReader) async throws -> Void) async throws {
    let reader = try await log.makeReader()
    do {
      try await body(reader)
    } catch {
      try await reader.close()
      throw error
    }
    try await reader.close()
  }

  fileprivate func ship(_ sink: some Sink, reader: LogReader, next: Offset) async throws {
    try await Shipper(
      sink: sink, log: log, control: control, progress: progress,
      reporter: DeadLetterReporter(logger: logger, now: clock.now)
    ).run(reader: reader, next: next)
  }
}
