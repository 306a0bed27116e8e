import ArgumentParser
import Logging
import WAL

/// `tickwal adopt`: makes a copy of a log a log of its own.
struct AdoptCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adopt", abstract: "Give a restored or copied log a log_id of its own.",
    discussion: """
      A log that was restored from a snapshot, or copied, would name other ticks by offsets that are in use in \
      the bucket already; shipping to it is held until this was run. Batches that were planned and not \
      confirmed are looked up under their old names first. Needs the log for itself: stop `run` first.
      """)

  @OptionGroup var flags: WriteFlags

  func run() async throws {
    let settings = try Configuration(flags: flags, environment: ProcessEnvironment.current)
    ConsoleLogHandler.bootstrap(settings.logging)
    try settings.log.path.checkReadable()
    let log = try await settings.openLog(logger: Logger(label: "tickwal"))
    let change: (old: LogID, new: LogID)
    do {
      change = try await log.adopt()
    } catch {
      try await log.close()
      throw error
    }
    try await log.close()
    try await StandardOutput.shared.say(
      "the log \(settings.log.path) was \(change.old) and is now \(change.new)")
  }
}
