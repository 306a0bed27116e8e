import Base
import Logging

/// One message with everything that goes on its line. Pure.
struct LogLine {
  /// Microseconds since 1970, UTC.
  let time: Int64
  let level: Logger.Level
  let message: String
  let metadata: Logger.Metadata

  /// The line in either form.
  func text(_ format: LogFormat, style: LineStyle) -> String {
    switch format {
    case .text: text(style)
    case .json: json
    }
  }

  /// `2026-11-22T02:00:00.123Z INFO  message key=value`, keys in alphabetical order; for the journal
  /// `<6>INFO  message key=value`.
  func text(_ style: LineStyle = .plain) -> String {
    let colours = style == .coloured
    let name = DisplayWidth.padded(Self.names[level] ?? level.rawValue.uppercased(), to: 5)
    var line = style == .journal ? style.priority(level) : "\(UTCTime.text(time)) "
    line += colours ? "\u{1B}[\(Self.colour(level))m\(name)\u{1B}[0m" : name
    line += " " + Text.oneLine(message, limit: .max)
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      let (name, text) = Self.forPeople(key, value)
      line += colours ? " \u{1B}[2m\(name)=\u{1B}[0m" : " \(name)="
      line += text
    }
    return line
  }

  /// One object: time, level, message, then the metadata. Their keys never collide: a metadata key of the
  /// same name gets an underscore.
  var json: String {
    var members: [JSONDocument.Member] = [
      .init(key: "time", value: .string(UTCTime.text(time))),
      .init(key: "level", value: .string(level.rawValue)),
      .init(key: "message", value: .string(message)),
    ]
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      let isTaken = ["time", "level", "message"].contains(key)
      members.append(.init(key: isTaken ? "_" + key : key, value: Self.json(value)))
    }
    return JSONDocument.object(members).text
  }

  private static let names: [Logger.Level: String] = [.warning: "WARN", .critical: "CRIT", .notice: "NOTE"]

  private static func colour(_ level: Logger.Level) -> String {
    switch level {
    case .trace, .debug: "2"
    case .info, .notice: "32"
    case .warning: "33"
    case .error, .critical: "1;31"
    }
  }

  /// The keys of numbers that others have given out: they are looked for as they are.
  private static let numbersOfOthers: Set<String> = ["after", "before", "code"]

  /// Numbers with separators, and times with their unit in place of the key's: `for_seconds` 44 is `for="44 s"`.
  private static func forPeople(_ key: String, _ value: Logger.MetadataValue) -> (key: String, text: String) {
    guard case .stringConvertible(let any as any FixedWidthInteger) = value, !numbersOfOthers.contains(key)
    else { return (key, bare(value)) }
    let words = key.split(separator: "_")
    guard words.count > 1, words.first == "seconds" || words.last == "seconds",
      let seconds = Int64(exactly: any)
    else { return (key, Figures.grouped(any)) }
    let name = words.filter { $0 != "seconds" }.joined(separator: "_")
    return (name, bare("\(Figures.duration(.seconds(seconds)))"))
  }

  // Quoted only where the line could be misread otherwise.
  private static func bare(_ value: Logger.MetadataValue) -> String {
    let text: String
    switch value {
    case .string(let string): text = string
    case .stringConvertible(let convertible): text = convertible.description
    case .array, .dictionary: return json(value).text
    }
    let needsQuotes =
      text.isEmpty
      || text.unicodeScalars.contains { $0 == " " || $0 == "\"" || $0 == "=" || Text.isUnprintable($0) }
    return needsQuotes ? JSONDocument.string(text).text : text
  }

  private static func json(_ value: Logger.MetadataValue) -> JSONDocument {
    switch value {
    case .string(let string): .string(string)
    case .stringConvertible(let integer as any FixedWidthInteger):
      Int(exactly: integer).map { .integer($0) } ?? .string("\(integer)")
    case .stringConvertible(let bool as Bool): .bool(bool)
    case .stringConvertible(let number as Double): .number(number)
    case .stringConvertible(let convertible): .string(convertible.description)
    case .array(let values): .array(values.map(json))
    case .dictionary(let members):
      .object(members.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: json($0.value)) })
    }
  }
}
