import ArgumentParser
import Glibc
import Logging
import Simulate
import UnixSignals

/// `tickwal simulate`: a stand-in exchange.
struct SimulateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Serve the exchange's protocol on this machine, for tests and demos.",
    discussion: """
      Prints its URL as the first line on stdout. Serves /stream?streams=a/b, /ws/<stream> and \
      !miniTicker@arr, answers SUBSCRIBE, pings, and sends made-up prices or a recorded file until Ctrl-C.
      """)

  @Option(help: ArgumentHelp("Where to listen; port 0 takes a free one", valueName: "host:port"))
  var listen = "127.0.0.1:9443"
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
  @Option(help: ArgumentHelp("Close each connection after so long", valueName: "seconds")) var closeAfter:
    String?
  @Option(help: ArgumentHelp("Close each connection after so many messages", valueName: "n"))
  var closeAfterMessages: String?
  @Option(help: ArgumentHelp("Answer every attempt to connect with this HTTP status", valueName: "status"))
  var refuse: String?
  @Option(help: ArgumentHelp("Serve wss:// with this certificate (PEM)", valueName: "file"))
  var tlsCertificate: String?
  @Option(help: ArgumentHelp("and this key (PEM)", valueName: "file")) var tlsKey: String?
  @Option(help: ArgumentHelp("Least severe messages to write to stderr", valueName: "level")) var logLevel =
    "warning"

  func run() async throws {
    let configuration = try checked()
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
    let host = configuration.host.contains(":") ? "[\(configuration.host)]" : configuration.host
    print("\(scheme)://\(host):\(exchange.port)")
    fflush(nil)
    for await _ in signals { break }
    let statistics = try await exchange.statistics
    try await exchange.stop()
    Console.standardError.writeLine(
      "tickwal: sent \(Figures.grouped(statistics.messages)) messages over "
        + "\(Figures.grouped(statistics.connectionsOpened)) connections")
  }

  // MARK: Arguments

  private func checked() throws -> ExchangeConfiguration {
    var check = FlagCheck()
    var configuration = ExchangeConfiguration()
    (configuration.host, configuration.port) = check.address(listen, "--listen")
    configuration.messagesPerSecond = check.number(rate, "--rate", 0...10_000_000) ?? 0
    let seed = check.whole(seed, "--seed", 0...Int.max) ?? 1
    configuration.source =
      file.map { .recording(path: $0, repeats: loop) } ?? .madeUp(seed: UInt64(seed))
    configuration.messageLimit = check.whole(count, "--count", 0...Int.max)
    configuration.recordFile = record
    if let symbols { configuration.listedSymbols = symbols.split(separator: ",").map { $0.uppercased() } }
    configuration.pingInterval = check.seconds(pingInterval, "--ping-interval") ?? configuration.pingInterval
    configuration.pongTimeout = check.seconds(pongTimeout, "--pong-timeout") ?? configuration.pongTimeout
    configuration.faults.closeAfter = check.seconds(closeAfter, "--close-after")
    configuration.faults.closeAfterMessages = check.whole(
      closeAfterMessages, "--close-after-messages", 1...Int.max)
    configuration.faults.refuseWithStatus = check.whole(refuse, "--refuse", 200...599)
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

/// Checks the values of flags and keeps every mistake.
private struct FlagCheck {
  private var problems: [BadSettings.Problem] = []

  mutating func problem(_ flag: String, _ value: String, _ allowed: String) {
    problems.append(.init(name: flag, value: Text.oneLine(value), allowed: allowed))
  }

  func finish() throws(BadSettings) {
    guard problems.isEmpty else { throw BadSettings(problems: problems) }
  }

  mutating func whole(_ text: String?, _ flag: String, _ allowed: ClosedRange<Int>) -> Int? {
    guard let text else { return nil }
    if let number = Int(text), allowed.contains(number) { return number }
    let upper = allowed.upperBound == .max ? "or more" : "to \(allowed.upperBound)"
    problem(flag, text, "a whole number, \(allowed.lowerBound) \(upper)")
    return nil
  }

  mutating func number(_ text: String, _ flag: String, _ allowed: ClosedRange<Double>) -> Double? {
    if let number = Double(text), allowed.contains(number) { return number }
    problem(flag, text, "a number from \(Int(allowed.lowerBound)) to \(Int(allowed.upperBound))")
    return nil
  }

  mutating func seconds(_ text: String?, _ flag: String) -> Duration? {
    guard let text else { return nil }
    if let number = Double(text), number > 0, number <= 86_400 { return .seconds(number) }
    problem(flag, text, "a number of seconds above 0, at most 86400")
    return nil
  }

  mutating func address(_ text: String, _ flag: String) -> (host: String, port: Int) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65_535).contains(port)
    else {
      problem(flag, text, "host:port, such as 127.0.0.1:9443")
      return ("127.0.0.1", 0)
    }
    let host = text[..<colon]
    return (
      host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : String(host), port
    )
  }
}
