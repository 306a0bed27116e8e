import AWS
import Base
import Glibc
import Ingest
import Shippers
import WAL

/// The checks of this machine and of the way to the exchange.
struct LocalDoctor: Sendable {
  let settings: Configuration

  func log() async throws -> [DoctorFinding] {
    let path = settings.log.path
    do {
      try path.checkWritable()
    } catch {
      return [
        .failed("log", error.lines.joined(separator: " "), "correct WAL_PATH, or the rights on its folder")
      ]
    }
    var found: [DoctorFinding] = []
    if access(path.text, F_OK) != 0 {
      found.append(.ok("log", "\(path) is not there yet; run makes it"))
    } else {
      do {
        let reader = try await LogReader(path: path.text)
        let status = try await reader.status()
        try await reader.close()
        found.append(.ok("log", "\(path) holds the ticks up to \(status.head)"))
      } catch let error as LogError {
        found.append(.failed("log", "\(path): \(error)"))
      }
    }
    var volume = statvfs()
    if statvfs(path.folder, &volume) == 0 {
      found.append(
        DoctorRules.space(
          free: Int(volume.f_bavail * volume.f_frsize), of: Int(volume.f_blocks * volume.f_frsize),
          limits: settings.space.disk, folder: path.folder))
    } else {
      found.append(.warning("space", "\(path.folder): \(SystemError.lastText)"))
    }
    found.append(DoctorRules.sqlite(.current))
    return found
  }

  /// Any answer of the exchange's server says that name, network and certificate are right.
  func exchange() async throws -> DoctorFinding {
    let address: FeedEndpoint
    do {
      address = try FeedEndpoint(url: settings.feed.url?.text, testnet: settings.feed.testnet)
    } catch {
      return .failed("exchange", "\(error)", "correct BINANCE_WS_URL")
    }
    var configuration = TransportConfiguration()
    configuration.caBundle = settings.feed.caBundle
    let host = address.host.contains(":") ? "[\(address.host)]" : address.host
    let endpoint = Endpoint(scheme: address.isSecure ? .https : .http, host: host, port: address.port)
    let answers = "\(endpoint) answers; the feed asks for \(address.shownTarget)"
    let transport = try CurlTransport(configuration)
    defer { transport.close() }
    do {
      _ = try await transport.send(HTTPRequest(.get, endpoint, timeout: .seconds(10)))
      return .ok("exchange", answers)
    } catch let error as TransportError where error.code == .responseTooLarge {
      return .ok("exchange", answers)
    } catch let error as TransportError where [.connectionLost, .malformedAnswer].contains(error.code) {
      return .warning(
        "exchange", "\(endpoint) takes connections, but answers no plain request: \(error.detail)")
    } catch let error as TransportError {
      return .failed("exchange", "\(error)", "check network and firewall; a proxy is not used for the feed")
    }
  }
}
