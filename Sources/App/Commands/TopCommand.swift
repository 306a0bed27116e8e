import ArgumentParser
import Base

/// `tickwal top`: how log and process stand, on one screen.
struct TopCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top", abstract: "Show each second how log, feed and consumers stand, until Ctrl-C.",
    discussion: """
      The same as `status --watch`: what is not well first, then rates, feed, disk, gaps, and each consumer with its \
      backlog of the last minutes. On a terminal as a picture that fits it, in a pipe block after block.
      """)

  @OptionGroup var flags: ReadFlags

  func run() async throws {
    let (path, observer) = try StatusCommand.place(flags)
    try await StatusWatch(path: path, observer: observer, isJSON: false).run()
  }
}
