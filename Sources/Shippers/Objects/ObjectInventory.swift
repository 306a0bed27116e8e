import Base
import WAL

/// The view of the objects in a store.
///
/// Everything but cancellation that its calls to the store throw is worth another try, later.
package struct ObjectInventory: Sendable {
  let store: any ObjectStore
  /// Opens the place that an older plan was made for; `nil` if that place cannot be reached from here.
  let openStore: @Sendable (_ address: String) throws -> (any ObjectStore)?
  let settings: ObjectSettings
  /// The place, as it is stored with plans.
  let address: String

  /// The bucket, or the folder, as it is stored with plans.
  package var bucket: String { store.bucket }
  /// The folder of the objects, for messages.
  package var folder: String { settings.folder }
  /// Objects that may be held whole at a time.
  package var concurrency: Int { settings.concurrency }

  /// A walk over the keys of what is in the folder, ours or not.
  package func listing() -> any ObjectListing { store.listing(under: settings.folder) }

  /// The place of a plan: this one, or an older one; `nil` if it cannot be reached from here.
  package func place(of plan: BatchPlan) throws -> ObjectInventory? {
    guard plan.destination != address else { return self }
    guard let store = try openStore(plan.destination) else { return nil }
    return ObjectInventory(
      store: store, openStore: openStore, settings: settings, address: plan.destination)
  }

  /// The text of an object, by its hash: lower-case hex.
  package enum Text: Sendable, Equatable {
    case sha256(String)
    /// Not noted with the object, or not to be unpacked.
    case unknown
  }

  /// The text under a plan's key, as it is noted with the object; `nil` if nothing is there.
  package func noted(_ plan: BatchPlan) async throws -> Text? {
    try await store.stored(plan.key).map { Text($0.sha256) }
  }

  /// The text under a plan's key, read whole; `nil` if nothing is there.
  package func read(_ plan: BatchPlan) async throws -> Text? {
    try await store.content(plan.key).map { Text($0.sha256) }
  }

  /// The object of a plan, as the log gives it now.
  package struct Rebuilt: Sendable {
    fileprivate let object: NewObject
    /// Rows that could not be read.
    package let badRows: Int

    package var sha256: String { object.sha256 }
  }

  /// - Parameter isForUpload: else it is not compressed.
  /// - Throws: `LogError` with `notFound` if its ticks are not kept any more; the log's errors.
  package func rebuild(
    _ plan: BatchPlan, isForUpload: Bool, from reader: LogReader
  ) async throws -> Rebuilt {
    let batch = try await BuiltBatch.rebuild(
      isForUpload ? plan : plan.forText, from: reader, settings: settings)
    // The name it had from the first: under an older log_id, if the log was adopted since.
    let logID = if let name = ObjectName(key: plan.key) { name.logID } else { try await reader.logID() }
    return Rebuilt(object: NewObject(batch, key: plan.key, logID: logID), badRows: batch.bad.count)
  }

  /// Stores an object that was rebuilt for it; durable when it returns.
  /// - Returns: `false` if something is stored under its key.
  package func put(_ rebuilt: Rebuilt) async throws -> Bool { try await store.put(rebuilt.object) }
}

extension ObjectInventory.Text {
  fileprivate init(_ sha256: String?) { self = sha256.map { .sha256($0) } ?? .unknown }
}

extension BatchPlan {
  /// The same, to be built without compressing it.
  fileprivate var forText: BatchPlan {
    var plan = self
    if plan.key.hasSuffix(ObjectKey.gzipSuffix) { plan.key.removeLast(ObjectKey.gzipSuffix.count) }
    return plan
  }
}
