import ArgumentParser
import Testing

@testable import tickwal

@Suite struct HelpTextTests {
  private func help(_ words: String) -> [String] {
    var command: any ParsableCommand.Type = Tickwal.self
    for word in words.split(separator: " ") {
      command =
        command.configuration.subcommands.first { $0.configuration.commandName ?? "" == word } ?? command
    }
    return HelpText(text: Tickwal.helpMessage(for: command, columns: 80)).shown.split(
      separator: "\n", omittingEmptySubsequences: false
    ).map(
      String.init)
  }

  /// Each command that does something, by its words.
  static let commands = names(Tickwal.self, [])

  private static func names(_ command: any ParsableCommand.Type, _ before: [String]) -> [String] {
    let subcommands = command.configuration.subcommands
    guard !subcommands.isEmpty else { return [before.joined(separator: " ")] }
    return subcommands.flatMap { names($0, before + [$0.configuration.commandName ?? ""]) }
  }

  @Test(arguments: commands) func `a command's own flags come first and examples before them`(command: String)
    throws
  {
    let lines = help(command)
    let headings = lines.filter { $0.hasSuffix(":") && $0 == $0.uppercased() && !$0.hasPrefix(" ") }
    let own = headings.filter { !["ARGUMENTS:"].contains($0) }
    #expect(own.prefix(2) == ["EXAMPLES:", "OPTIONS:"], "\(headings)")
    #expect(headings.count == Set(headings).count)
    let start = try #require(lines.firstIndex(of: "EXAMPLES:"))
    let examples = lines[(start + 1)...].prefix { $0.hasPrefix("  ") }
    #expect(examples.count >= 2 && examples.allSatisfy { $0.contains("tickwal \(command)") })
  }

  @Test func `every example is a command line that is understood`() throws {
    #expect(Set(HelpText.examples.keys) == Set(Self.commands + ["dead-letters"]))
    for example in HelpText.examples.values.joined() {
      let words = example.split(separator: " ").drop { $0 != "tickwal" }.dropFirst().map(String.init)
      #expect(throws: Never.self, "\(example)") { _ = try Tickwal.parseAsRoot(words) }
    }
  }

  @Test func `what is no help stays as it is`() {
    for text in ["0.1.0", "", "complete -F _tickwal tickwal"] { #expect(HelpText(text: text).shown == text) }
  }
}
