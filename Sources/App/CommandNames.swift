import ArgumentParser

/// The names of the commands, for what is said of a wrong one.
enum CommandNames {
  /// Completes "see": the help of the command that the arguments name, as far as there is one.
  static func help(_ arguments: [String], under root: any ParsableCommand.Type = Tickwal.self) -> String {
    var (words, command) = ([root.configuration.commandName ?? ""], root)
    for argument in arguments {
      guard let next = command.configuration.subcommands.first(where: { name($0) == argument }) else { break }
      words.append(argument)
      command = next
    }
    return (words + ["--help"]).joined(separator: " ")
  }

  /// The trouble with a first word that names no command; `nil` if it names one, or is none.
  static func objection(_ arguments: [String], under root: any ParsableCommand.Type = Tickwal.self) -> String?
  {
    guard let word = arguments.first, !word.hasPrefix("-"), word != "help" else { return nil }
    let names = root.configuration.subcommands.map(name)
    guard !names.contains(word) else {
      let command = root.configuration.subcommands.first { name($0) == word }
      guard let command, !command.configuration.subcommands.isEmpty else { return nil }
      return objection(Array(arguments.dropFirst()), under: command)
    }
    // What others have as a command.
    if word == "version" { return "there is no command '\(word)'; did you mean '--version'?" }
    let near = names.map { (name: $0, distance: distance($0, word)) }.min { $0.distance < $1.distance }
    let isNear = near.map { $0.distance <= max(1, min(3, word.count / 2)) } ?? false
    return "there is no command '\(word)'" + (isNear ? "; did you mean '\(near?.name ?? "")'?" : "")
  }

  private static func name(_ command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? ""
  }

  /// The number of letters that have to be put in, left out, changed or exchanged with their neighbour.
  ///
  /// Reference: https://en.wikipedia.org/wiki/Damerau%E2%80%93Levenshtein_distance (optimal string alignment).
  static func distance(_ one: String, _ other: String) -> Int {
    let (a, b) = (Array(one.unicodeScalars), Array(other.unicodeScalars.prefix(64)))
    var rows = [Array(0...b.count)]
    for i in 0..<a.count {
      var row = [i + 1]
      for j in 0..<b.count {
        var best = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
        if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { best = min(best, rows[i - 1][j - 1] + 1) }
        row.append(best)
      }
      rows.append(row)
    }
    return rows[a.count][b.count]
  }
}
