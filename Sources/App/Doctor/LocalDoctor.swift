import Base
import Glibc
import Ingest
import Shippers
import WAL

/// The checks of this machine and of the way to the exchange.
struct LocalDoctor: Sendable {
  let settings: Configuration

  /// Looks at the log, at the process that has it and at its volume.
  ///
  /// - Returns: the streams that a feed would ask for, as far as they are known here.
  func log(_ findings: DoctorFindings) async throws -> [String] {
    let path = settings.log.path
    findings.add([DoctorRules.sqlite(.current)])
    if let streams = settings.feed.streams?.names { findings.add(settings.feed.shardFindings(streams)) }
    do {
      try path.checkWritable()
    } catch {
      findings.add([
        .failed("log", error.lines.joined(separator: " "), "correct WAL_PATH, or the rights on its folder")
      ])
      return streams(nil)
    }
    findings.add([space(path)])
    guard access(path.absolute, F_OK) == 0 else {
      findings.add([.ok("log", "\(path.absolute) is not there yet; run makes it")])
      return streams(nil)
    }
    var known: [String]?
    try await findings.of("log") {
      do {
        let reader = try await LogReader(path: path.absolute)
        let status = try await reader.status()
        known = try await reader.lastKnownStreams()
        try await reader.close()
        return [
          .ok(
            "log",
            status.head == .zero
              ? "\(path.absolute) is there, and has no ticks yet"
              : "\(path.absolute) has ticks up to offset \(Figures.grouped(status.head.rawValue))"),
          process(status),
          DoctorRules.backlog(status.consumers),
        ]
      } catch let error as LogError {
        return [.failed("log", "\(error)")]
      }
    }
    return streams(known)
  }

  private func process(_ status: LogStatus) -> DoctorFinding {
    .ok("process", status.writerPID.map { "process \($0) has the log open" } ?? "no process has the log open")
  }

  private func space(_ path: WALPath) -> DoctorFinding {
    guard let volume = Volume.of(path.absolute) else {
      return .warning("space", "\(path.folder): \(SystemError.lastText)")
    }
    return DoctorRules.space(
      free: volume.available, of: volume.size,
      limits: settings.space.disk, folder: Folder.parent(of: path.absolute))
  }

  /// The stream to ask for where none is known: each exchange of this kind has it.
  private static let anyStream = "btcusdt@miniTicker"

  private func streams(_ known: [String]?) -> [String] {
    let listed = settings.feed.streams?.names ?? known ?? []
    let named = settings.feed.shard?.share(of: listed) ?? listed
    return named.isEmpty ? [Self.anyStream] : named
  }

  /// The time for a connection: less than for all checks, so that it is this one that says what it waited for.
  private static let patience = Duration.seconds(7)

  /// Opens a WebSocket for one stream, as `run` does.
  func exchange(streams: [String]) async throws -> DoctorFinding {
    let address: FeedEndpoint
    do {
      address = try FeedEndpoint(url: settings.feed.url?.text, testnet: settings.feed.testnet)
    } catch {
      return .failed("exchange", "\(error)", "correct BINANCE_WS_URL")
    }
    let place = "\(address.isSecure ? "wss" : "ws")://\(address.hostHeader)"
    let asked = "the feed asks for \(address.shownTarget)"
    do {
      try await FeedProbe.open(
        FeedConfiguration(endpoint: address, streams: streams, caBundle: settings.feed.caBundle),
        within: Self.patience)
      let stream = address.ownTarget == nil ? " of \(streams[0])" : ""
      return .ok("exchange", "\(place) opens a WebSocket\(stream); \(asked)")
    } catch let error as FeedError {
      return .failed("exchange", "\(place): \(error); \(asked)", Self.remedy(error))
    }
  }

  private static func remedy(_ error: FeedError) -> String {
    switch error.code {
    case .refused(status: 451), .refused(status: 403):
      "the exchange does not serve this country or address: run elsewhere, or set BINANCE_WS_URL"
    case .refused(status: 429), .refused(status: 418):
      "this address was too quick: look for other programs behind it, and wait"
    case .refused, .badUpgrade: "correct BINANCE_WS_URL or the streams' names"
    case .tlsFailed, .badCABundle: "correct BINANCE_WS_URL or FEED_CA_BUNDLE"
    default: "check network and firewall; a proxy is not used for the feed"
    }
  }
}

extension FeedSettings {
  /// - Parameter streams: the whole list.
  func shardFindings(_ streams: [String]) -> [DoctorFinding] {
    guard let shard else { return [] }
    return [
      DoctorRules.shard(shard, of: streams, perConnection: ExchangeLimits.binance.streamsPerConnection)
    ]
  }
}
