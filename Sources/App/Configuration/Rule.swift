/// What a setting's text may be, and how it becomes a value.
struct Rule<Value: Sendable>: Sendable {
  /// Completes the sentence "… must be", for error lines.
  let allowed: String
  /// The value's name in `--help`, as in `<seconds>`.
  let placeholder: String
  /// Whether a leading minus sign is for the rule to judge, instead of beginning another flag.
  var mayBeginWithDash = false
  /// Makes the value, or says what is wrong with the text.
  let parse: @Sendable (String) throws(Refusal) -> Value
  /// The text as it may be shown: without credentials.
  var shown: @Sendable (String) -> String = { $0 }

  /// The same rule for a setting that may be unset.
  var optional: Rule<Value?> {
    let parse = self.parse
    return Rule<Value?>(
      allowed: allowed, placeholder: placeholder, mayBeginWithDash: mayBeginWithDash,
      parse: { text throws(Refusal) in try parse(text) }, shown: shown)
  }
}

/// Why a text is not allowed; `reason` is nil where the rule itself says enough.
struct Refusal: Error, Equatable {
  var reason: String?
  init(_ reason: String? = nil) { self.reason = reason }
}

// MARK: Numbers and switches

extension Rule where Value == Int {
  /// Decimal digits only, within `range`. White space around them is ignored, as the old pipeline did.
  static func wholeNumber(_ range: ClosedRange<Int>, _ placeholder: String = "number") -> Rule {
    Rule(
      allowed:
        "a whole number from \(Figures.grouped(range.lowerBound)) to \(Figures.grouped(range.upperBound))",
      placeholder: placeholder, mayBeginWithDash: true,
      parse: { text throws(Refusal) in
        let digits = Text.trimmed(text)
        guard Text.isDigits(digits), let number = Int(digits), range.contains(number) else { throw Refusal() }
        return number
      })
  }
}

extension Rule where Value == Duration {
  /// A number of seconds above 0, fractions allowed (`2.5`), at most `limit`.
  static func seconds(atMost limit: Int) -> Rule { number("seconds", of: 1, atMost: limit) }

  /// A number of hours above 0, fractions allowed, at most `limit`.
  static func hours(atMost limit: Int) -> Rule { number("hours", of: 3_600, atMost: limit) }

  private static func number(_ name: String, of unitSeconds: Double, atMost limit: Int) -> Rule {
    Rule(
      allowed: "a number of \(name) above 0, at most \(Figures.grouped(limit))", placeholder: name,
      mayBeginWithDash: true,
      parse: { text throws(Refusal) in
        let parts = Text.trimmed(text).split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.allSatisfy(Text.isDigits), let number = Double(parts.joined(separator: ".")),
          number <= Double(limit)
        else { throw Refusal() }
        let duration = Duration.seconds(number * unitSeconds)
        guard duration > .zero else { throw Refusal() }
        return duration
      })
  }

  /// A whole number of milliseconds within `range`.
  static func milliseconds(_ range: ClosedRange<Int>) -> Rule {
    let number = Rule<Int>.wholeNumber(range, "milliseconds")
    return Rule(
      allowed: number.allowed + " (milliseconds)", placeholder: number.placeholder, mayBeginWithDash: true,
      parse: { text throws(Refusal) in .milliseconds(try number.parse(text)) })
  }
}

extension Rule where Value == Bool {
  /// `0` or `1`, nothing else.
  static var zeroOrOne: Rule {
    Rule(
      allowed: "0 or 1", placeholder: "0|1", mayBeginWithDash: true,
      parse: { text throws(Refusal) in
        switch Text.trimmed(text) {
        case "0": return false
        case "1": return true
        default: throw Refusal()
        }
      })
  }

  /// The usual words for yes and no in any case; empty is no.
  static var yesOrNo: Rule {
    Rule(
      allowed: "true, 1, yes or on; or false, 0, no, off or empty", placeholder: "true|false",
      mayBeginWithDash: true,
      parse: { text throws(Refusal) in
        switch Text.trimmed(text).lowercased() {
        case "true", "1", "yes", "on": return true
        case "false", "0", "no", "off", "": return false
        default: throw Refusal()
        }
      })
  }
}

extension Rule where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
  /// One of an enumeration's words, in any case.
  static var oneOf: Rule {
    let words = Value.allCases.map(\.rawValue)
    return Rule(
      allowed: words.count > 1
        ? words.dropLast().joined(separator: ", ") + " or " + words[words.count - 1] : words.joined(),
      placeholder: words.joined(separator: "|"),
      parse: { text throws(Refusal) in
        guard let value = Value(rawValue: Text.trimmed(text).lowercased()) else { throw Refusal() }
        return value
      })
  }
}
