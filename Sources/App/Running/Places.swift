import AWS
import Base
import Glibc
import Logging
import Shippers
import WAL

/// Turns settings into what the modules take.
extension Configuration {
  var logOptions: TickLog.Options {
    var options = TickLog.Options()
    options.linger = writer.commitLinger
    return options
  }

  func openLog(logger: Logger) async throws -> TickLog {
    try log.path.checkWritable()
    return try await TickLog.open(path: log.path.text, options: logOptions, logger: logger)
  }

  var objectSettings: ObjectSettings { objectSettings(folder: s3.folder) }

  func objectSettings(folder: String) -> ObjectSettings {
    ObjectSettings(
      folder: folder, fileName: s3.fileName, layout: s3.keyLayout == .hive ? .hive : .flat,
      compression: s3.compression == .gzip ? .gzip(level: s3.gzipLevel) : .none,
      maximumRows: s3.maxBatchSize, maximumWait: s3.maxBatchTimeout, concurrency: s3.uploadConcurrency)
  }

  var itemSettings: ItemSettings {
    ItemSettings(table: dynamo.table, concurrency: dynamo.concurrency, retentionDays: dynamo.retentionDays)
  }

  /// Where the enabled consumers deliver to: AWS, or a folder.
  func shipping(to local: String?, aws connection: AWSConnection) async throws -> Shipping {
    let objects = s3.isEnabled ? objectSettings : nil
    let items = dynamo.isEnabled ? itemSettings : nil
    if let local {
      return try Shipping.toFolder(try LocalPlace.absolute(local), objects: objects, items: items)
    }
    guard objects != nil || items != nil else { return .none }
    return .toAWS(
      try await connection.client(), objects: objects.map { ($0, s3.bucket) }, items: items,
      clientAt: { [connection] in connection.client(s3Endpoint: $0) })
  }
}

/// The folder of `--local`.
enum LocalPlace {
  /// For commands that only look: the folder must be there.
  static func existing(_ path: String) throws -> String {
    guard access(path, F_OK) == 0 else { throw bad(path, errno) }
    return try absolute(path)
  }

  /// Made if its parent is there; without links and dots, so that one folder has one name.
  static func absolute(_ path: String) throws -> String {
    if mkdir(path, 0o755) != 0, errno != EEXIST { throw bad(path, errno) }
    guard let resolved = realpath(path, nil) else { throw bad(path, errno) }
    defer { free(resolved) }
    let absolute = String(cString: resolved)
    if let reason = FileProblem.folder(absolute) { throw bad(path, reason) }
    return absolute
  }

  private static func bad(_ path: String, _ code: Int32) -> BadSettings {
    bad(path, SystemError.text(code))
  }

  private static func bad(_ path: String, _ reason: String) -> BadSettings {
    BadSettings(problems: [
      .init(
        name: "--local", value: Text.oneLine(path),
        allowed: "a writable folder, or a new one in a folder that exists",
        reason: reason)
    ])
  }
}
