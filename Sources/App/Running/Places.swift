import Base
import Glibc
import Ingest
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

  /// The open files that the work needs. A list of streams that is not known yet counts as one connection's.
  func openFiles(hasFeed: Bool, needsAWS: Bool) -> OpenFileBudget {
    let enabled = destinations.filter { $0.isEnabled }
    let streams = feed.streams?.names.count ?? 1
    let perConnection = ExchangeLimits.binance.streamsPerConnection
    return OpenFileBudget(
      limit: OpenFileLimit.value, cores: Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
      slots: hasFeed ? (streams + perConnection - 1) / perConnection : 0, consumers: enabled.count,
      observers: hasFeed && observe.listen != nil ? HTTPServer.mostClients : 0,
      deliveries: needsAWS ? max(1, enabled.map(\.deliveries).reduce(0, +)) : 0)
  }

  func openLog(logger: Logger) async throws -> TickLog {
    try log.path.checkWritable()
    let address = ControlAddress(logPath: log.path.absolute)
    if OwnFile.objection(to: address.path, .socket) == nil {
      try address.checkUnused(logPath: TickLog.file(of: log.path.absolute))
    }
    return try await TickLog.open(path: log.path.absolute, options: logOptions, logger: logger)
  }

  /// The destinations that the enabled consumers deliver to: the real ones, or those that take their place in a folder.
  ///
  /// - Parameter receives: whether the process has a feed.
  func shipping(
    to local: String?, aws connection: AWSConnection, receives: Bool = false
  ) async throws -> Shipping {
    let process = process(receives: receives)
    let enabled = destinations.filter { $0.isEnabled }
    if let local {
      let folder = try LocalPlace.absolute(local)
      return Shipping(
        try enabled.map { try $0.destination(inFolder: folder, clock: .system) }, process: process)
    }
    var made: [any Destination] = []
    for settings in enabled { made.append(try await settings.destination(connection)) }
    return Shipping(made, process: process)
  }

  private func process(receives: Bool) -> ProcessIdentity {
    ProcessIdentity(
      host: Self.hostName, version: TickwalVersion.text,
      share: receives ? feed.shard.map { .shard($0.description) } ?? .all : .none)
  }

  private static var hostName: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
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
