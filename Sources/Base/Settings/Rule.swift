/// The rule for a setting's text: what it may be, and how it becomes a value.
package struct Rule<Value: Sendable>: Sendable {
  /// Completes the sentence "… must be", for error lines.
  package let allowed: String
  /// The value's name in `--help`, as in `<seconds>`.
  package let placeholder: String
  /// Whether a leading minus sign is for the rule to judge, instead of beginning another flag.
  package let mayBeginWithDash: Bool
  /// Makes the value, or says what is wrong with the text.
  package let parse: @Sendable (String) throws(BadText) -> Value
  /// The text as it may be shown: without credentials.
  package let shown: @Sendable (String) -> String

  package init(
    allowed: String, placeholder: String, mayBeginWithDash: Bool = false,
    parse: @escaping @Sendable (String) throws(BadText) -> Value,
    shown: @escaping @Sendable (String) -> String = { $0 }
  ) {
    self.allowed = allowed
    self.placeholder = placeholder
    self.mayBeginWithDash = mayBeginWithDash
    self.parse = parse
    self.shown = shown
  }

  /// The same rule for a setting that may be unset.
  package var optional: Rule<Value?> {
    let parse = self.parse
    return Rule<Value?>(
      allowed: allowed, placeholder: placeholder, mayBeginWithDash: mayBeginWithDash,
      parse: { text throws(BadText) in try parse(text) }, shown: shown)
  }
}

/// The reason why a text is not allowed by its rule; `reason` is nil where the rule itself says enough.
package struct BadText: Error, Equatable {
  package var reason: String?
  package init(_ reason: String? = nil) { self.reason = reason }
}

// MARK: Numbers and switches

extension Rule where Value == Int {
  /// Decimal digits only, within `range`. White space around them is ignored, as the old pipeline did.
  package static func wholeNumber(_ range: ClosedRange<Int>, _ placeholder: String = "number") -> Rule {
    Rule(
      allowed:
        "a whole number from \(Figures.grouped(range.lowerBound)) to \(Figures.grouped(range.upperBound))",
      placeholder: placeholder, mayBeginWithDash: true,
      parse: { text throws(BadText) in
        guard let number = DecimalDigits.parse(Text.trimmed(text), upTo: range.upperBound),
          range.contains(number)
        else { throw BadText() }
        return number
      })
  }
}

extension Rule where Value == Duration {
  /// A number of seconds above 0, fractions allowed (`2.5`), at most `limit`.
  package static func seconds(atMost limit: Int) -> Rule { number("seconds", of: 1, atMost: limit) }

  /// A number of hours above 0, fractions allowed, at most `limit`.
  package static func hours(atMost limit: Int) -> Rule { number("hours", of: 3_600, atMost: limit) }

  private static func number(_ name: String, of unitSeconds: Double, atMost limit: Int) -> Rule {
    Rule(
      allowed: "a number of \(name) above 0, at most \(Figures.grouped(limit))", placeholder: name,
      mayBeginWithDash: true,
      parse: { text throws(BadText) in
        guard let number = DecimalDigits.fraction(Text.trimmed(text), upTo: Double(limit)) else {
          throw BadText()
        }
        let duration = Duration.seconds(number * unitSeconds)
        guard duration > .zero else { throw BadText() }
        return duration
      })
  }

  /// A whole number of milliseconds within `range`.
  package static func milliseconds(_ range: ClosedRange<Int>) -> Rule {
    let number = Rule<Int>.wholeNumber(range, "milliseconds")
    return Rule(
      allowed: number.allowed + " (milliseconds)", placeholder: number.placeholder, mayBeginWithDash: true,
      parse: { text throws(BadText) in .milliseconds(try number.parse(text)) })
  }
}

extension Rule where Value == Bool {
  /// `0` or `1`, nothing else.
  package static var zeroOrOne: Rule {
    Rule(
      allowed: "0 or 1", placeholder: "0|1", mayBeginWithDash: true,
      parse: { text throws(BadText) in
        switch Text.trimmed(text) {
        case "0": return false
        case "1": return true
        default: throw BadText()
        }
      })
  }

  /// The usual words for yes and no in any case; empty is no.
  package static var yesOrNo: Rule {
    Rule(
      allowed: "true, 1, yes or on; or false, 0, no, off or empty", placeholder: "true|false",
      mayBeginWithDash: true,
      parse: { text throws(BadText) in
        switch Text.trimmed(text).lowercased() {
        case "true", "1", "yes", "on": return true
        case "false", "0", "no", "off", "": return false
        default: throw BadText()
        }
      })
  }
}

extension Rule where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
  /// One of an enumeration's words, in any case.
  package static var oneOf: Rule {
    let words = Value.allCases.map(\.rawValue)
    return Rule(
      allowed: Text.alternatives(words),
      placeholder: words.joined(separator: "|"),
      parse: { text throws(BadText) in
        guard let value = Value(rawValue: Text.trimmed(text).lowercased()) else { throw BadText() }
        return value
      })
  }
}
