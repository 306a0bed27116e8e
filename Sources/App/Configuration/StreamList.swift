import Base

/// The streams to subscribe to, as a list without repeats.
struct StreamList: Sendable, Equatable {
  /// The most streams: a hundred connections of 1,024 each. A longer list is more likely a mistake.
  static let limit = 102_400

  let names: [String]
  /// Entries that are probably not meant, one sentence each; the list is usable all the same.
  let warnings: [String]

  /// Checks names from any source.
  /// - Throws: `BadText` when there is none, one is empty or has a character no stream has, or there are more
  ///   than `limit`.
  init(_ given: [String]) throws(BadText) {
    guard !given.isEmpty else { throw BadText("the list is empty") }
    var seen = Set<String>()
    var names: [String] = []
    var repeated: [String] = []
    var upperCase: [String] = []
    var kindless: [String] = []
    for name in given {
      guard !name.isEmpty else { throw BadText("one of its names is empty") }
      for scalar in name.unicodeScalars {
        if Text.isControl(scalar) || scalar.properties.isWhitespace
          || "/?#&\"\\,".unicodeScalars.contains(scalar)
        {
          throw BadText("'\(Text.oneLine(name, limit: 60))' is no stream name")
        }
      }
      guard seen.insert(name).inserted else {
        repeated.append(name)
        continue
      }
      names.append(name)
      if let at = name.firstIndex(of: "@"), name[..<at].contains(where: \.isUppercase) {
        upperCase.append(name)
      }
      if !name.contains("@") { kindless.append(name) }
    }
    guard names.count <= Self.limit else {
      throw BadText(
        "it has \(Figures.grouped(names.count)) streams, more than \(Figures.grouped(Self.limit))")
    }
    self.names = names
    var warnings: [String] = []
    if let first = repeated.first {
      warnings.append(
        "streams named more than once are subscribed to once: \(first)\(Self.andMore(repeated))")
    }
    if let first = upperCase.first {
      warnings.append(
        "the exchange names symbols in lower case and sends nothing for others: \(first)\(Self.andMore(upperCase))"
      )
    }
    if let first = kindless.first {
      warnings.append(
        "the exchange knows no stream without a kind, such as btcusdt@miniTicker: \(first)\(Self.andMore(kindless))"
      )
    }
    self.warnings = warnings
  }

  private static func andMore(_ names: [String]) -> String {
    names.count > 1 ? " and \(names.count - 1) more" : ""
  }
}

extension Rule where Value == StreamList {
  /// Names separated by commas; spaces around a comma are ignored.
  static var streams: Rule {
    Rule(
      allowed: "1 to \(Figures.grouped(StreamList.limit)) stream names separated by commas, "
        + "such as btcusdt@miniTicker,ethusdt@miniTicker",
      placeholder: "a,b,…",
      parse: { text throws(BadText) in
        let trimmed = Text.trimmed(text)
        guard !trimmed.isEmpty else { throw BadText() }
        if trimmed.hasPrefix("[") || trimmed.hasPrefix("{") {
          throw BadText("it is JSON, as in the secret: here the names alone are written")
        }
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        return try StreamList(parts.map { String(Text.trimmed(String($0))) })
      })
  }
}
