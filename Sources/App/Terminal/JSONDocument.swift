import Base

/// A small JSON document for `--json` outputs and log lines. Objects keep their order.
indirect enum JSONDocument: Sendable, Equatable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  /// Valid JSON that is there already; on one line, in ASCII.
  case json(String)
  case array([JSONDocument])
  case object([Member])

  struct Member: Sendable, Equatable {
    let key: String
    let value: JSONDocument
  }

  /// An object from pairs, in their order.
  static func object(_ pairs: KeyValuePairs<String, JSONDocument>) -> JSONDocument {
    .object(pairs.map { Member(key: $0.key, value: $0.value) })
  }

  /// Of an object; none of anything else.
  var members: [Member] {
    if case .object(let members) = self { members } else { [] }
  }

  /// On one line.
  ///
  /// Reference: RFC 8259.
  var text: String {
    var text = ""
    write(to: &text, indent: nil)
    return text
  }

  /// On several lines, indented by two spaces.
  var prettyText: String {
    var text = ""
    write(to: &text, indent: 0)
    return text
  }

  private func write(to text: inout String, indent: Int?) {
    switch self {
    case .null: text += "null"
    case .bool(let value): text += value ? "true" : "false"
    case .integer(let value): text += String(value)
    // JSON knows no infinity and no NaN.
    case .number(let value): text += value.isFinite ? "\(value)" : "null"
    case .json(let value): text += PythonJSON.compact(value)
    case .string(let value): JSONText.append(value, to: &text, isForPeople: true)
    case .array(let values):
      Self.enclose(values, in: ("[", "]"), to: &text, indent: indent) { $0.write(to: &$1, indent: $2) }
    case .object(let members):
      Self.enclose(members, in: ("{", "}"), to: &text, indent: indent) { member, text, indent in
        JSONText.append(member.key, to: &text, isForPeople: true)
        text += indent == nil ? ":" : ": "
        member.value.write(to: &text, indent: indent)
      }
    }
  }

  private static func enclose<Element>(
    _ elements: [Element], in ends: (String, String), to text: inout String, indent: Int?,
    each: (Element, inout String, Int?) -> Void
  ) {
    text += ends.0
    let inner = indent.map { $0 + 2 }
    for (index, element) in elements.enumerated() {
      if index > 0 { text += "," }
      if let inner { text += "\n" + String(repeating: " ", count: inner) }
      each(element, &text, inner)
    }
    if let indent, !elements.isEmpty { text += "\n" + String(repeating: " ", count: indent) }
    text += ends.1
  }
}
