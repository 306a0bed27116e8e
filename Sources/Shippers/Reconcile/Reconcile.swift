import AWS
import Logging
import WAL

/// Compares the log with what is at the consumers' destinations, beside a running writer. Moves no consumer.
package struct Reconcile: Sendable {
  package struct Options: Sendable, Equatable {
    /// Contents instead of what is noted with them; every item instead of a sample.
    package var isFull = false
    /// Ship what is missing.
    package var repairs = false

    package init(isFull: Bool = false, repairs: Bool = false) {
      self.isFull = isFull
      self.repairs = repairs
    }
  }

  package struct Progress: Sendable, Equatable {
    package let consumer: ConsumerName
    /// What is counted: `names`, `ticks`.
    package let unit: String
    package let done: Int
    /// `nil` where it is not known.
    package let total: Int?
  }

  package typealias Report = @Sendable (Progress) -> Void

  let reader: LogReader
  package let options: Options
  let attempts: Attempts
  let clock: ShippingClock
  let report: Report
  /// Which items are looked at where not all are.
  let random: any RandomNumberGenerator & Sendable
  /// What of the bounds that were given is not kept any more: its items are not compared.
  package let trimmed: OffsetRange?
  /// The offsets to compare; what is above the head is not there yet.
  package let range: OffsetRange
  /// The same for objects' names: a copy of the log may have planned beyond this one's head.
  let names: OffsetRange

  /// - Parameters:
  ///   - first: `nil` means the first of all: what was trimmed is still known by the objects' names.
  ///   - last: `nil` means the head at this moment.
  ///   - random: chooses the items that are looked at where not all are.
  /// - Throws: `LogError` with `notFound` for a range that the log does not have, or not any more.
  package init(
    reader: LogReader, from first: Offset?, through last: Offset?, options: Options,
    clock: ShippingClock = .system,
    random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator(), logger: Logger,
    report: @escaping Report
  ) async throws {
    let head = try await reader.head()
    guard head > .zero else { throw LogError(.notFound, "the log has no ticks: there is nothing to compare") }
    let (start, end) = (first ?? .first, last ?? head)
    guard start <= end, end <= head else {
      throw LogError(.notFound, "cannot compare offsets \(start) to \(end): the log's head is \(head)")
    }
    let oldest = try await reader.oldest() ?? head.next
    let isBounded = first != nil || last != nil
    guard !isBounded || end >= oldest else {
      let kept = oldest > head ? "nothing" : "\(oldest) to \(head)"
      throw LogError(
        .notFound,
        "cannot compare offsets \(start) to \(end): they are not kept any more, the log has \(kept)")
    }
    trimmed = first != nil && start < oldest ? start...oldest.previous : nil
    self.reader = reader
    self.options = options
    self.clock = clock
    self.random = random
    self.report = report
    range = start...end
    names = start...(last ?? Offset(rawValue: .max))
    attempts = Attempts(
      reporter: TroubleReporter(logger: logger, now: clock.now, over: "comparing again"),
      control: ShippingControl(), clock: clock, trouble: "could not compare: trying again")
  }

  var inquiry: Inquiry { Inquiry(attempts: attempts) }

  // MARK: Objects

  /// Compares with the objects in S3.
  ///
  /// - Parameters:
  ///   - consumer: as the log has it, with the bucket and folder that it delivers to now.
  ///   - clientAt: a client for another S3 endpoint, where an earlier start delivered to.
  /// - Throws: `AWSError` for what waiting does not mend; the log's errors; `CancellationError`.
  package func objects(
    of consumer: Consumer, with client: AWSClient, bucket: String, _ settings: ObjectSettings,
    clientAt: @escaping @Sendable (_ s3Endpoint: String) -> AWSClient?
  ) async throws -> Reconciliation {
    let endpoint = client.endpoints.endpoint(.s3, region: client.region).description
    return try await objects(
      of: consumer, in: S3Store(client: S3Client(client), bucket: bucket), settings
    ) { destination in
      guard case .s3(let old, let bucket, _) = destination,
        let place = old == endpoint ? client : clientAt(old)
      else { return nil }
      return S3Store(client: S3Client(place), bucket: bucket)
    }
  }

  /// Compares with the objects in a local folder.
  package func objects(
    of consumer: Consumer, inFolder folder: String, _ settings: ObjectSettings
  ) async throws -> Reconciliation {
    try await objects(of: consumer, in: try LocalObjectStore(root: folder + "/objects"), settings) {
      destination in
      guard case .folder(let old) = destination else { return nil }
      return try LocalObjectStore(root: old + "/objects")
    }
  }

  func objects(
    of consumer: Consumer, in archive: any ObjectArchive, _ settings: ObjectSettings,
    openArchive: @escaping @Sendable (Destination) throws -> (any ObjectArchive)?
  ) async throws -> Reconciliation {
    try await ObjectReconciliation(
      reconcile: self, consumer: consumer, archive: archive, openArchive: openArchive, settings: settings,
      logID: try await reader.logID()
    ).run()
  }

  // MARK: Items

  /// Compares with the items in DynamoDB.
  ///
  /// - Throws: as ``objects(of:with:bucket:_:clientAt:)``.
  package func items(
    of consumer: Consumer, with client: AWSClient, _ settings: ItemSettings
  ) async throws -> Reconciliation {
    try await items(
      of: consumer, in: DynamoTable(client: DynamoDBClient(client), name: settings.table), settings)
  }

  /// Compares with the table in a local folder.
  package func items(
    of consumer: Consumer, inFolder folder: String, _ settings: ItemSettings
  ) async throws -> Reconciliation {
    let table = try LocalTable(path: folder + "/table.db", wall: clock.wall)
    let result: Reconciliation
    do {
      result = try await items(of: consumer, in: table, settings)
    } catch {
      try await table.close()
      throw error
    }
    try await table.close()
    return result
  }

  func items(
    of consumer: Consumer, in table: any ItemArchive, _ settings: ItemSettings
  ) async throws -> Reconciliation {
    try await ItemReconciliation(reconcile: self, consumer: consumer, table: table, settings: settings).run()
  }
}
