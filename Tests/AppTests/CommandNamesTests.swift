import Testing

@testable import tickwal

@Suite struct CommandNamesTests {
  @Test(arguments: [
    ("stauts", "status"), ("statsu", "status"), ("Run", "run"), ("dead-letter", "dead-letters"),
    ("imprt", "import"),
    ("replaay", "replay"), ("verfy", "verify"),
  ])
  func `a command that is misspelt is guessed`(word: String, meant: String) {
    #expect(
      CommandNames.objection([word, "--watch"]) == "there is no command '\(word)'; did you mean '\(meant)'?")
  }

  @Test func `the version is asked for with a flag`() {
    #expect(
      CommandNames.objection(["version"]) == "there is no command 'version'; did you mean '--version'?")
  }

  @Test func `nothing is guessed that is not near and nothing is said of what is right`() {
    #expect(CommandNames.objection(["frobnicate"]) == "there is no command 'frobnicate'")
    #expect(CommandNames.objection(["dead-letters", "lsit"])?.contains("did you mean 'list'?") == true)
    for words in [["status"], ["--help"], [], ["help", "run"], ["dead-letters", "list"], ["status", "x"]] {
      #expect(CommandNames.objection(words) == nil, "\(words)")
    }
  }

  @Test func `the help of the command is named`() {
    #expect(CommandNames.help(["status", "--nonsense"]) == "tickwal status --help")
    #expect(CommandNames.help(["dead-letters", "retry", "x"]) == "tickwal dead-letters retry --help")
    #expect(CommandNames.help(["nonsense"]) == "tickwal --help")
  }

  @Test func `distances count what has to be changed`() {
    #expect(CommandNames.distance("", "abc") == 3 && CommandNames.distance("abc", "abc") == 0)
    #expect(CommandNames.distance("abcd", "acbd") == 1 && CommandNames.distance("kitten", "sitting") == 3)
  }
}
