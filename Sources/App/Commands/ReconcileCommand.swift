import ArgumentParser
import Base
import Inspect
import Logging
import Shippers
import WAL

/// `tickwal reconcile`: whether what was shipped is where it was shipped to.
struct ReconcileCommand: DocumentCommand {
  static let configuration = CommandConfiguration(
    commandName: "reconcile", abstract: "Compare the log with what is at the destinations.",
    discussion: """
      Reads beside a running `run`, with the same settings, and moves no consumer. Prints what is missing, double \
      or different, one line for each of the first 100, and exits with 1 if anything is. Ticks that are not \
      shipped yet are not missing.
      """)

  @Option(help: ArgumentHelp("Compare one consumer alone", valueName: "name")) var consumer: String?
  @OptionGroup var bounds: RangeFlags
  @Option(help: ArgumentHelp("What was received on this day (UTC) instead", valueName: "2026-11-22"))
  var day: String?
  @Flag(help: "Read and hash each object whole, and ask for every item instead of 1,000 at random places")
  var full = false
  @Flag(help: "Ship what is missing; nothing that is there is touched") var repair = false
  @Flag(help: "For programs: one JSON document") var json = false
  @Option(help: ArgumentHelp("Compare with a folder instead of AWS", valueName: "folder")) var local: String?
  @OptionGroup var flags: ShipFlags

  func run() async throws {
    let bounds = try RangeBounds(bounds, day: day)
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    try settings.log.path.checkReadable()
    if let local { _ = try LocalPlace.existing(local) }
    let command = self
    let report = try await Signals.cancelling {
      let report = try await command.compare(settings, bounds)
      Console.standardError.endProgress()
      if command.json {
        try await StandardOutput.shared.write(report.document)
      } else if let note = report.note {
        try await StandardOutput.shared.say(note)
      }
      return report
    }
    if !report.agrees { throw CommandFailure(.problems, report.summary) }
  }

  private func compare(_ settings: Configuration, _ bounds: RangeBounds) async throws -> ReconcileReport {
    let reader = try await LogReader(path: settings.log.path.absolute)
    do {
      let report = try await compare(reader, settings, bounds)
      try await reader.close()
      return report
    } catch {
      try await reader.close()
      throw error
    }
  }

  private func compare(
    _ reader: LogReader, _ settings: Configuration, _ bounds: RangeBounds
  ) async throws -> ReconcileReport {
    let logger = Logger(label: "tickwal")
    let connection = AWSConnection(settings.aws, logger: logger)
    defer { connection.close() }
    let shipping = try await settings.shipping(to: local, aws: connection)
    let destinations = try comparable(chosen(shipping.destinations))
    let offsets = try await bounds.offsets(in: reader)
    let reconcile = try await Reconcile(
      reader: reader, from: offsets.first, through: offsets.last,
      options: Reconcile.Options(isFull: full, repairs: repair), logger: logger,
      report: ReconcileMeter(console: .standardError).show,
      tell: { [json] news in if !json { try await Self.say(news) } })
    return ReconcileReport(
      path: settings.log.path.absolute, logID: try await reader.logID(), range: reconcile.range,
      trimmed: reconcile.trimmed, options: reconcile.options,
      results: try await reconcile.run(destinations))
  }

  /// As it is known: whoever waits, or gives up waiting, has what was found.
  private static func say(_ news: Reconcile.News) async throws {
    Console.standardError.endProgress()
    try await StandardOutput.shared.say(ReconcileReport.lines(news))
  }

  /// Those that can be asked what they have.
  ///
  /// - Throws: `CommandFailure` (64) if none can.
  private func comparable(_ destinations: [any Destination]) throws -> [any Destination] {
    let others = destinations.filter { $0.inventory == nil }.map(\.consumer.name.rawValue)
    guard !others.isEmpty else { return destinations }
    let names = others.joined(separator: ", ")
    guard others.count < destinations.count else {
      throw CommandFailure(
        .usage, "\(names) cannot be compared: there nobody can ask for the record of an offset")
    }
    Console.standardError.writeLine("tickwal: \(names) is left out: it cannot be compared")
    return destinations.filter { $0.inventory != nil }
  }

  /// The destinations of the settings, or the one that was named.
  private func chosen(_ destinations: [any Destination]) throws -> [any Destination] {
    guard let consumer else { return destinations }
    let named = destinations.filter { $0.consumer.name.rawValue == consumer }
    guard !named.isEmpty else {
      let names = Destinations.kinds.map {
        (local == nil ? $0.consumers.remote : $0.consumers.local).name.rawValue
      }
      throw BadSettings(problems: [
        .init(
          name: "--consumer", value: Text.oneLine(consumer),
          allowed: "\(Text.alternatives(names)), and enabled")
      ])
    }
    return named
  }
}
