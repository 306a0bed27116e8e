import Foundation

/// A line of `Tests/Kinds/kinds.tsv`: one message of the exchange, and what must become of its events.
public struct EventKind: Sendable, CustomStringConvertible {
  /// One event of the message.
  public struct Event: Sendable {
    /// The tick's stream.
    public let name: String
    /// The same if the event comes alone; nil if it then is no tick.
    public let nameAlone: String?
    /// `E`
    public let time: Int64?
    public let type: String
    public let symbol: String?
    /// What the item's sort key ends with.
    public let id: ID
    public let payload: String

    /// Milliseconds; times of these tests above 1e15 are in microseconds.
    public var milliseconds: Int64? { time.map { $0 > 1_000_000_000_000_000 ? $0 / 1_000 : $0 } }
    public var microseconds: Int64? { time.map { $0 > 1_000_000_000_000_000 ? $0 : $0 * 1_000 } }
  }

  public enum ID: Sendable, Equatable {
    case none, hash
    case exchange(String)
  }

  /// The combined message.
  public let message: String
  /// As subscribed.
  public let stream: String
  /// What the message wraps.
  public let data: String
  public let events: [Event]

  public var isArray: Bool { data.hasPrefix("[") }
  public var description: String { message.prefix(60).description }

  public static let all: [EventKind] = {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Kinds/kinds.tsv")
    guard let text = try? String(contentsOf: file.standardized, encoding: .utf8) else { return [] }
    return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { EventKind(line: String($0)) }
  }()

  private init(line: String) {
    let columns = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    let (names, alone, times) = (columns[0].list, columns[1].list, columns[2].list)
    let (types, symbols, ids) = (columns[3].list, columns[4].list, columns[5].list)
    message = columns[6]
    let parts = message.dropLast().split(separator: "\",\"data\":", maxSplits: 1)
    stream = String(parts[0].dropFirst(#"{"stream":""#.count))
    data = String(parts[1])
    let payloads = data.hasPrefix("[") ? Self.elements(of: data) : [data]
    events = names.indices.map { place in
      let id: ID = ids[place] == "-" ? .none : ids[place] == "#" ? .hash : .exchange(ids[place])
      return Event(
        name: names[place], nameAlone: alone[place].unlessDash,
        time: times[place].unlessDash.flatMap(Int64.init),
        type: types[place], symbol: symbols[place].unlessDash, id: id, payload: payloads[place])
    }
  }

  /// Of an array of objects without brackets in their texts.
  private static func elements(of array: String) -> [String] {
    var elements: [String] = []
    var depth = 0
    for character in array.dropFirst().dropLast() {
      if depth == 0 {
        guard character == "{" else { continue }
        elements.append("")
      }
      elements[elements.count - 1].append(character)
      if character == "{" || character == "[" { depth += 1 }
      if character == "}" || character == "]" { depth -= 1 }
    }
    return elements
  }
}

extension String {
  fileprivate var list: [String] { split(separator: ",", omittingEmptySubsequences: false).map(String.init) }
  fileprivate var unlessDash: String? { self == "-" ? nil : self }
}
