import ArgumentParser
import Base
import Glibc
import Logging
import Simulate
import UnixSignals

/// `tickwal simulate`: a stand-in exchange.
struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Serve the exchange's protocol on this machine, for tests and demos.",
    discussion: """
      Prints its URL as the first line on stdout, those of further addresses below it. Serves /stream?streams=a/b, /ws/<stream> and \
      !miniTicker@arr, answers SUBSCRIBE, pings, and sends made-up prices or a recorded file until Ctrl-C. A \
      stream that was once subscribed has ticks from then on, also while nobody is connected. Every fault can be \
      rehearsed: at a fixed age of each connection, or at random (--faults-every), the same for the same --seed.
      """)

  @Option(
    help: ArgumentHelp(
      "Where to listen; may be given again; port 0 takes a free one, on another host the first one's (default: "
        + "127.0.0.1:9443)", valueName: "host:port"))
  var listen: [String] = []
  @Option(
    help: ArgumentHelp("Take connections here too, and never answer them", valueName: "host:port"))
  var listenDead: [String] = []
  @Option(name: .customLong("listen-503"), help: ArgumentHelp("Answer with 503 here", valueName: "host:port"))
  var listen503: [String] = []
  @Flag(help: "Number events as futures do: depth updates with pu, trades with ids left out.")
  var futures = false
  @Option(help: ArgumentHelp("Messages a second in all; 0: as fast as clients take them", valueName: "n"))
  var rate = "100"
  @Option(help: ArgumentHelp("Seed of the made-up prices", valueName: "n")) var seed = "1"
  @Option(
    help: ArgumentHelp("Send this recorded file (JSON Lines, combined messages) instead", valueName: "file"))
  var file: String?
  @Flag(help: "Send the file again from its beginning, for ever.") var loop = false
  @Option(help: ArgumentHelp("Stop sending after this many messages", valueName: "n")) var count: String?
  @Option(help: ArgumentHelp("Write down each message as it was sent", valueName: "file")) var record: String?
  @Option(help: ArgumentHelp("Symbols in !miniTicker@arr (default: eleven well-known)", valueName: "A,B,…"))
  var symbols: String?
  @Option(help: ArgumentHelp("Time between pings", valueName: "seconds")) var pingInterval = "20"
  @Option(help: ArgumentHelp("Drop a client that has not answered a ping for so long", valueName: "seconds"))
  var pongTimeout = "60"
  @Flag(
    help:
      "Wait for slow clients, and send nothing while nobody listens, instead of going on as a market does.")
  var wait = false
  @Option(
    help: ArgumentHelp("Drop a client when more than this waits for it (default: 16 MiB)", valueName: "bytes")
  )
  var clientBacklog: String?
  @Flag(
    help: """
      Enforce the exchange's limits: 1,024 streams a connection, 300 attempts in 5 minutes, 5 messages a second.
      """)
  var strict = false
  @Option(
    help: ArgumentHelp(
      "Write down each message made, when and to whom, and the fate of connections", valueName: "file"))
  var journal: String?
  @Option(help: ArgumentHelp("Write the figures at the end to this file, as JSON", valueName: "file"))
  var report: String?
  @Option(help: ArgumentHelp("Serve wss:// with this certificate (PEM)", valueName: "file"))
  var tlsCertificate: String?
  @Option(help: ArgumentHelp("and this key (PEM)", valueName: "file")) var tlsKey: String?
  @Option(help: ArgumentHelp("Least severe messages to write to stderr", valueName: "level")) var logLevel =
    "warning"
  @OptionGroup(title: "Faults") var faults: FaultFlags

  func run() async throws {
    let configuration = try checked()
    let addresses = max(1, listen.count) + listenDead.count + listen503.count
    try OpenFileBudget(limit: OpenFileLimit.value, addresses: addresses).check()
    let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm)
    var logger = Logger(label: "simulate") {
      _ in ConsoleLogHandler(console: .standardError, format: .text, level: .warning)
    }
    logger.logLevel = Logger.Level(rawValue: logLevel) ?? .warning
    let exchange: SimulatedExchange
    do {
      exchange = try await SimulatedExchange.start(configuration, logger: logger)
    } catch let error as ExchangeError {
      throw CommandFailure(.badValue, "\(error)")
    }
    let scheme = configuration.tls == nil ? "ws" : "wss"
    let urls = exchange.addresses.map { address in
      let host = address.host.contains(":") ? "[\(address.host)]" : address.host
      return "\(scheme)://\(host):\(address.port)"
    }
    try await Self.say(urls, until: signals)
    let summary = ExchangeReport(statistics: try await exchange.statistics)
    try await exchange.stop()
    for line in summary.lines { Console.standardError.writeLine("tickwal: " + line) }
    if let report { try write(summary.document.prettyText + "\n", to: report) }
  }

  /// Says the URLs, and serves until a signal comes, whether somebody reads them or not.
  private static func say(_ urls: [String], until signals: UnixSignalsSequence) async throws {
    try await withThrowingTaskGroup(of: Bool.self) { group in
      group.addTask {
        try await StandardOutput.shared.say(urls)
        return false
      }
      group.addTask {
        for await _ in signals { break }
        return true
      }
      defer { group.cancelAll() }
      while let isSignalled = try await group.next(), !isSignalled {}
    }
  }

  private func write(_ text: String, to path: String) throws {
    do throws(SystemError) {
      let file = try FileDescriptor(opening: path, O_WRONLY | O_CREAT | O_TRUNC, mode: 0o666)
      try file.writeAll(Array(text.utf8))
      try file.close()
    } catch {
      throw CommandFailure(.badValue, "cannot write \(path): \(error.reason)")
    }
  }

  // MARK: Arguments

  private func checked() throws -> ExchangeConfiguration {
    var check = FlagCheck()
    var configuration = ExchangeConfiguration()
    let places = (listen.isEmpty ? ["127.0.0.1:9443"] : listen).map { check.address($0, "--listen") }
    (configuration.host, configuration.port) = (places[0].host, places[0].port)
    configuration.furtherAddresses = Array(places.dropFirst())
    configuration.deadAddresses = listenDead.map { check.address($0, "--listen-dead") }
    configuration.unavailableAddresses = listen503.map { check.address($0, "--listen-503") }
    configuration.isFutures = futures
    configuration.messagesPerSecond = check.number(rate, "--rate", 0...10_000_000) ?? 0
    let seed = check.whole(seed, "--seed", 0...Int.max) ?? 1
    configuration.source =
      file.map { .recording(path: $0, repeats: loop) } ?? .madeUp(seed: UInt64(seed))
    configuration.messageLimit = check.whole(count, "--count", 0...Int.max)
    configuration.recordFile = record
    if let symbols { configuration.listedSymbols = symbols.split(separator: ",").map { $0.uppercased() } }
    configuration.pingInterval = check.seconds(pingInterval, "--ping-interval") ?? configuration.pingInterval
    configuration.pongTimeout = check.seconds(pongTimeout, "--pong-timeout") ?? configuration.pongTimeout
    configuration.waitsForClients = wait
    configuration.clientBacklog =
      check.whole(clientBacklog, "--client-backlog", 1...Int.max) ?? configuration.clientBacklog
    configuration.isStrict = strict
    configuration.journalFile = journal
    configuration.faults = faults.faults(&check)
    if let tlsCertificate, let tlsKey {
      configuration.tls = .init(certificateFile: tlsCertificate, keyFile: tlsKey)
    } else if tlsCertificate != nil || tlsKey != nil {
      check.problem("--tls-certificate", tlsCertificate ?? "", "given together with --tls-key")
    }
    if loop, file == nil { check.problem("--loop", "", "given together with --file") }
    try check.finish()
    return configuration
  }
}
