/// The help of a command, with its own flags before those that others have, too, and with examples: a pure value.
struct HelpText: Equatable {
  /// As the parser makes it, sections separated by empty lines.
  let text: String

  /// Two or more for each command; each is a command line that works.
  static let examples: [String: [String]] = [
    "run": [
      "STREAMS=btcusdt@miniTicker tickwal run --local out",
      "TESTNET=false tickwal run --wal-path /data/ticks.db",
    ],
    "ship": ["tickwal ship", "tickwal ship --local out"],
    "replay": [
      "tickwal replay --from-offset 1 --to-offset 1000 --to stdout",
      "tickwal replay --from-offset 1 --to s3 --prefix batch_jsonl_2",
      "tickwal replay --since -30m --to stdout",
    ],
    "reconcile": ["tickwal reconcile --full --day 2026-11-22", "tickwal reconcile --consumer s3 --repair"],
    "status": ["tickwal status --watch", "tickwal status --json"],
    "top": ["tickwal top", "tickwal top --wal-path /data/ticks.db"],
    "fleet": ["tickwal fleet", "tickwal fleet --day 2026-11-22 --json"],
    "tap": [
      "tickwal tap --stream 'btcusdt@*'", "tickwal tap --since -5m --format payload --count 100",
    ],
    "seek": [
      "tickwal seek --consumer s3 --offset 120000 --dry-run",
      "tickwal seek --consumer s3 --at -30m --dry-run",
      "tickwal seek --consumer dynamodb --offset 250000 --skip",
    ],
    "dead-letters": ["tickwal dead-letters list", "tickwal dead-letters retry --all --consumer dynamodb"],
    "dead-letters list": [
      "tickwal dead-letters list --consumer dynamodb", "tickwal dead-letters list --limit 1000 --json",
    ],
    "dead-letters show": ["tickwal dead-letters show 12", "tickwal dead-letters show 12 --json"],
    "dead-letters retry": [
      "tickwal dead-letters retry 12 13", "tickwal dead-letters retry --all --consumer feed",
    ],
    "dead-letters discard": [
      "tickwal dead-letters discard 12", "tickwal dead-letters discard --all --consumer feed",
    ],
    "verify": ["tickwal verify", "tickwal verify --salvage /mnt/other/ticks.db"],
    "import": ["tickwal import ticks.jsonl.gz", "zcat old.gz | tickwal import -"],
    "adopt": ["tickwal adopt", "tickwal adopt --wal-path restored.db"],
    "simulate": [
      "tickwal simulate --rate 1000", "tickwal simulate --listen 127.0.0.1:0 --faults-every 30 --seed 7",
    ],
    "doctor": ["tickwal doctor", "tickwal doctor --write --json"],
    "config": ["tickwal config", "tickwal config --json"],
  ]

  /// The text as it is shown.
  var shown: String {
    var sections = text.split(separator: "\n\n", omittingEmptySubsequences: false).map(String.init)
    guard let usage = sections.firstIndex(where: { $0.hasPrefix("USAGE: ") }) else { return text }
    if let own = sections.firstIndex(where: { $0.hasPrefix("OPTIONS:") }), own > usage {
      let first = sections[(usage + 1)...].firstIndex { !$0.hasPrefix("ARGUMENTS:") } ?? own
      sections.insert(sections.remove(at: own), at: first)
    }
    if let examples = Self.examples[Self.command(sections[usage])] {
      sections.insert("EXAMPLES:\n" + examples.map { "  \($0)" }.joined(separator: "\n"), at: usage + 1)
    }
    return sections.map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 }.joined(separator: "\n\n")
  }

  /// The command's words, as in `USAGE: tickwal dead-letters show <id>`.
  private static func command(_ usage: String) -> String {
    let words = usage.split(whereSeparator: \.isWhitespace).dropFirst(2)
    return words.prefix { $0.allSatisfy { $0.isLetter || $0 == "-" } && $0.first != "-" }.joined(
      separator: " ")
  }
}
