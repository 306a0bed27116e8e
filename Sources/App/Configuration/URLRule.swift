import Base

extension Rule where Value == URLText {
  /// A server to connect to. What would have to carry credentials is refused: they belong elsewhere, and
  /// nothing here would send them.
  static func url(_ schemes: [String], allowsQuery: Bool = true) -> Rule {
    let beginnings = schemes.map { $0 + "://" }.joined(separator: " or ")
    return Rule(
      allowed: "a URL that begins with \(beginnings) and names a host", placeholder: "url",
      parse: { text throws(BadText) in
        let url = try URLText(refusing: text, schemes: schemes)
        guard url.userInfo == nil else { throw BadText("it must not have a user name or password") }
        guard allowsQuery || url.query == nil else { throw BadText("it must not have a query") }
        guard text.utf8.allSatisfy({ $0 < 0x7F }) else { throw BadText("it must be ASCII") }
        return url
      },
      shown: URLText.redacted)
  }
}

extension Rule where Value == String {
  /// A proxy's address, with or without a scheme.
  static var proxy: Rule {
    Rule(
      allowed: "a proxy such as http://host:port or http://user:password@host:port", placeholder: "url",
      parse: { text throws(BadText) in
        let whole = text.contains("://") ? text : "http://" + text
        _ = try URLText(refusing: whole, schemes: ["http", "https"])
        return text
      }, shown: URLText.redacted)
  }
}

extension URLText {
  fileprivate init(refusing text: String, schemes: [String]) throws(BadText) {
    do throws(Mistake) {
      try self.init(text, schemes: schemes)
    } catch {
      throw BadText(error.reason)
    }
  }
}
