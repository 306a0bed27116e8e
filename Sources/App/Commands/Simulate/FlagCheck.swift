import Base
import Simulate

/// Checks the values of flags and keeps every mistake.
struct FlagCheck {
  private var problems: [BadSettings.Problem] = []

  mutating func problem(_ flag: String, _ value: String, _ allowed: String) {
    problems.append(.init(name: flag, value: Text.oneLine(value), allowed: allowed))
  }

  func finish() throws(BadSettings) {
    guard problems.isEmpty else { throw BadSettings(problems: problems) }
  }

  mutating func whole(_ text: String?, _ flag: String, _ allowed: ClosedRange<Int>) -> Int? {
    guard let text else { return nil }
    if let number = DecimalDigits.parse(text, upTo: allowed.upperBound), allowed.contains(number) {
      return number
    }
    let upper = allowed.upperBound == .max ? "or more" : "to \(allowed.upperBound)"
    problem(flag, text, "a whole number, \(allowed.lowerBound) \(upper)")
    return nil
  }

  mutating func number(_ text: String?, _ flag: String, _ allowed: ClosedRange<Double>) -> Double? {
    guard let text else { return nil }
    if let number = DecimalDigits.fraction(text, upTo: allowed.upperBound), allowed.contains(number) {
      return number
    }
    problem(flag, text, "a number from \(Int(allowed.lowerBound)) to \(Int(allowed.upperBound))")
    return nil
  }

  mutating func seconds(_ text: String?, _ flag: String) -> Duration? {
    guard let text else { return nil }
    if let number = DecimalDigits.fraction(text, upTo: 86_400), number > 0 { return .seconds(number) }
    problem(flag, text, "a number of seconds above 0, at most 86400")
    return nil
  }

  mutating func address(_ text: String, _ flag: String) -> ExchangeConfiguration.Address {
    guard let colon = text.lastIndex(of: ":"),
      let port = DecimalDigits.parse(text[text.index(after: colon)...], upTo: 65_535)
    else {
      problem(flag, text, "host:port, such as 127.0.0.1:9443")
      return .init(host: "127.0.0.1", port: 0)
    }
    let host = text[..<colon]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    return .init(host: String(isBracketed ? host.dropFirst().dropLast() : host), port: port)
  }
}
