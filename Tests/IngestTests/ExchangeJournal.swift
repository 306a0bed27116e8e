import Testing

/// A journal of the simulated exchange, read by a program of its own.
struct ExchangeJournal {
  struct Message {
    var receivers: [String]
    var stream: String
    var payload: String
  }

  private(set) var made: [Message] = []
  /// By connection, the payloads that were handed to its socket, in that order.
  private(set) var handed: [Int: [String]] = [:]
  /// By connection, the payloads that it was owed and never got.
  private(set) var owed: [Int: [String]] = [:]
  /// All other lines, without their times.
  private(set) var others: [String] = []

  init(lines: [String]) throws {
    for line in lines {
      let parts = line.split(separator: " ", maxSplits: 4).map(String.init)
      switch parts[1] {
      case "sent":
        let receivers = parts[2] == "-" ? [] : parts[2].split(separator: ",").map(String.init)
        made.append(Message(receivers: receivers, stream: parts[3], payload: parts[4]))
        for receiver in receivers {
          if receiver.hasPrefix("~") {
            owed[try #require(Int(receiver.dropFirst())), default: []].append(parts[4])
          } else {
            handed[try #require(Int(receiver)), default: []].append(parts[4])
          }
        }
      case "late":
        let (connection, count) = (try #require(Int(parts[2])), try #require(Int(parts[3])))
        handed[connection, default: []] += owed[connection, default: []].prefix(count)
        owed[connection, default: []].removeFirst(count)
      default: others.append(parts.dropFirst().joined(separator: " "))
      }
    }
  }
}

extension WebSocketProbe {
  /// All data messages up to the end, as text; binary ones left out.
  mutating func allTexts() async -> [String] {
    var texts: [String] = []
    do { while let text = try await nextText() { texts.append(text) } } catch {}
    return texts
  }
}

/// The whole number after `"key":` in a text; the last one if there are several.
func number(_ key: String, in text: String) throws -> Int {
  let rest = try #require(text.split(separator: "\"\(key)\":").dropFirst().last, "\(key) in \(text)")
  return try #require(Int(rest.prefix { $0.isNumber }))
}
