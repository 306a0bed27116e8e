import Base
import FoundationEssentials
import WAL

/// Dead letters as text for people and as a document for programs. Pure.
struct DeadLetterReport {
  /// The newest first.
  let letters: [KeptDeadLetter]
  let counts: [(consumer: ConsumerName, count: Int)]
  /// Whose they are; `nil` for everybody's.
  var consumer: ConsumerName?

  // MARK: For people

  /// The name is said: it may be misspelt.
  static func none(of consumer: String?) -> String {
    "no dead letters" + (consumer.map { " of \(Text.oneLine($0))" } ?? "")
  }

  func lines(width: Int?) -> [String] {
    guard !letters.isEmpty else { return [Self.none(of: consumer?.rawValue)] }
    let table = TextTable(
      .init("id", .right), .init("consumer"), .init("offset", .right), .init("attempts", .right),
      .init("since"), .init("cause"),
      rows: letters.map { kept in
        [
          "\(kept.id)", kept.letter.consumer.rawValue, Self.offset(kept),
          Figures.grouped(kept.letter.attempts),
          UTCTime.readable(microseconds: kept.createdAt), Text.oneLine(kept.letter.cause, limit: 300),
        ]
      })
    let all = counts.map { "\(Figures.grouped($0.count)) of \($0.consumer)" }.joined(separator: ", ")
    return table.lines(width: width) + ["", "kept: \(all)"]
  }

  static func lines(_ kept: KeptDeadLetter) -> [String] {
    TextTable(
      .init(""), .init(""),
      rows: [
        ["id", "\(kept.id)"], ["consumer", kept.letter.consumer.rawValue], ["offset", offset(kept)],
        ["attempts", Figures.grouped(kept.letter.attempts)],
        ["since", UTCTime.readable(microseconds: kept.createdAt)],
        ["cause", kept.letter.cause], ["payload", Figures.bytes(kept.payloadBytes)],
      ]
    ).lines() + [
      "", Text.oneLine(String(decoding: kept.letter.payload, as: UTF8.self), limit: .max),
    ]
  }

  private static func offset(_ kept: KeptDeadLetter) -> String {
    kept.letter.offset.map { Figures.grouped($0.rawValue) } ?? "-"
  }

  // MARK: For programs

  var document: JSONDocument {
    .object([
      "counts": .object(counts.map { .init(key: $0.consumer.rawValue, value: .integer($0.count)) }),
      "dead_letters": .array(letters.map(Self.document)),
    ])
  }

  /// The payload is text where it is UTF-8, else in base64.
  static func document(_ kept: KeptDeadLetter) -> JSONDocument {
    let letter = kept.letter
    let isWhole = letter.payload.count == kept.payloadBytes
    // Cut off, it may end within a character.
    let text =
      String(validating: letter.payload, as: UTF8.self)
      ?? (isWhole
        ? nil
        : (1...3).lazy.compactMap { String(validating: letter.payload.dropLast($0), as: UTF8.self) }.first)
    return .object([
      "id": .integer(Int(kept.id.rawValue)), "consumer": .string(letter.consumer.rawValue),
      "offset": letter.offset.map { .integer(Int($0.rawValue)) } ?? .null,
      "cause": .string(letter.cause), "attempts": .integer(letter.attempts),
      "created_at": .integer(Int(kept.createdAt)), "payload_bytes": .integer(kept.payloadBytes),
      "payload": text.map { .string($0) } ?? .null,
      "payload_base64": text == nil ? .string(Data(letter.payload).base64EncodedString()) : .null,
    ])
  }
}
