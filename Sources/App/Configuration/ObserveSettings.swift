import ArgumentParser
import Base
import Shippers

/// The settings of what only observes: the HTTP server, and the heartbeat.
struct ObserveSettings: Sendable, Equatable {
  /// The address to listen at; nil: nobody listens.
  private(set) var listen: ListenAddress?
  /// Names that a `Host` may have besides the listener's own addresses.
  let allowedHosts: [String]
  /// The age of a consumer's oldest unshipped tick beyond which the process is not ready.
  let readyMaximumLag: Duration
  /// Asked while the process is ready; a secret.
  private(set) var heartbeat: URLText?
  let heartbeatInterval: Duration

  /// For a process that nobody watches: `ship`.
  var silent: ObserveSettings {
    var settings = self
    settings.listen = nil
    settings.heartbeat = nil
    return settings
  }

  static let httpListen = Setting(
    "HTTP_LISTEN", default: "127.0.0.1:9464", .listenAddress,
    "Address of the HTTP server for metrics, health and status; :0 picks a port, off: none")
  static let httpAllowedHosts = Setting(
    "HTTP_ALLOWED_HOSTS", .hostNames,
    "Host names that HTTP clients may use besides the server's own addresses")
  static let readyMaxLag = Setting(
    "READY_MAX_LAG_SECONDS", default: "300", unit: "s", .seconds(atMost: 31_536_000),
    "Age of a destination's oldest unshipped tick beyond which the process is not ready")
  static let heartbeatURL = Setting(
    "HEARTBEAT_URL", .heartbeatURL, "URL asked regularly while the process is ready; a secret")
  static let heartbeatSeconds = Setting(
    "HEARTBEAT_SECONDS", default: "60", unit: "s", .seconds(atMost: 86_400), "Pause between two heartbeats")

  struct Flags: ParsableArguments, Sendable {
    @Option(ObserveSettings.httpListen) var httpListen: String?
    @Option(ObserveSettings.httpAllowedHosts) var httpAllowedHosts: String?
    @Option(ObserveSettings.readyMaxLag) var readyMaxLagSeconds: String?
    @Option(ObserveSettings.heartbeatURL) var heartbeatUrl: String?
    @Option(ObserveSettings.heartbeatSeconds) var heartbeatSeconds: String?
  }

  init(_ reader: inout SettingReader) {
    listen = reader.value(Self.httpListen, \Flags.httpListen).address
    allowedHosts = reader.value(Self.httpAllowedHosts, \Flags.httpAllowedHosts) ?? []
    readyMaximumLag = reader.value(Self.readyMaxLag, \Flags.readyMaxLagSeconds)
    heartbeat = reader.value(Self.heartbeatURL, \Flags.heartbeatUrl)
    heartbeatInterval = reader.value(Self.heartbeatSeconds, \Flags.heartbeatSeconds)
  }
}

/// An address to listen at.
struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
  /// An IP address, without brackets, or `localhost`.
  let host: String
  /// 0: any that is free.
  let port: Int

  var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

  /// `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`, `:9464`, which is that port of 127.0.0.1.
  init(_ text: String) throws(BadText) {
    guard let colon = text.lastIndex(of: ":") else { throw BadText("it has no port") }
    guard let port = DecimalDigits.parse(text[text.index(after: colon)...], upTo: 65_535) else {
      throw BadText("its port is no number from 0 to 65,535")
    }
    self.port = port
    var host = String(text[..<colon])
    if host.isEmpty { host = "127.0.0.1" }
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = String(host.dropFirst().dropLast())
      guard host.contains(":") else { throw BadText("there is no IPv6 address in the brackets") }
    } else if host.contains(":") {
      throw BadText("an IPv6 address is written in brackets")
    }
    guard host == "localhost" || IPAddress.isOne(host) else {
      throw BadText("its host is no IP address, and not localhost")
    }
    self.host = host
  }
}

/// `off` among the addresses.
struct ListenChoice: Sendable, Equatable {
  let address: ListenAddress?
}

extension Rule where Value == ListenChoice {
  static var listenAddress: Rule {
    Rule(
      allowed: "an IP address and a port, such as 127.0.0.1:9464 or [::1]:9464, :0, or off",
      placeholder: "address",
      parse: { text throws(BadText) in
        let text = Text.trimmed(text)
        if text.lowercased() == "off" { return ListenChoice(address: nil) }
        return ListenChoice(address: try ListenAddress(String(text)))
      })
  }
}

extension Rule where Value == [String] {
  static var hostNames: Rule {
    Rule(
      allowed: "host names separated by commas, without ports", placeholder: "names",
      parse: { text throws(BadText) in
        var names: [String] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
          let name = Text.trimmed(String(part)).lowercased()
          guard !name.isEmpty else { throw BadText("one of the names is empty") }
          let isName = name.utf8.allSatisfy { byte in
            switch UnicodeScalar(byte) {
            case "a"..."z", "0"..."9", "-", ".", "_": true
            default: false
            }
          }
          guard isName || IPAddress.isOne(name) else {
            throw BadText("'\(Text.oneLine(name, limit: 60))' is no host name")
          }
          names.append(name)
        }
        return names
      })
  }
}

extension Rule where Value == URLText {
  /// A URL with a secret in its path or query, which is never shown.
  static var heartbeatURL: Rule {
    let plain = Rule.url(["http", "https"])
    return Rule(
      allowed: plain.allowed, placeholder: plain.placeholder, parse: plain.parse, shown: { _ in "(hidden)" })
  }
}
