/// One setting: an environment variable and the flag of the same name.
///
/// A setting is declared once, in the group it belongs to. Its flag, its line in `--help`, its check, its
/// place in `config` and in the log line at start all follow from the declaration.
package struct Setting<Value: Sendable>: Sendable {
  /// The environment variable, as in `MAX_BATCH_SIZE`.
  package let name: String
  /// The default as a user would write it; nil where the setting is unset by default.
  package let defaultText: String?
  /// The unit that numbers are in, for display; empty where there is none.
  package let unit: String
  /// The values that are allowed, and how text becomes one.
  package let rule: Rule<Value>
  /// One line for `--help`.
  package let summary: String
  /// Whether an empty text is a value of its own instead of "unset".
  package let emptyIsValue: Bool
  /// The value in force when nothing is given.
  package let defaultValue: Value

  /// A setting with a default.
  package init(
    _ name: String, default text: String, unit: String = "", _ rule: Rule<Value>,
    emptyIsValue: Bool = false, _ summary: String
  ) {
    self.name = name
    self.defaultText = text
    self.unit = unit
    self.rule = rule
    self.summary = summary
    self.emptyIsValue = emptyIsValue
    do {
      self.defaultValue = try rule.parse(text)
    } catch {
      preconditionFailure("the default of \(name) breaks its own rule")
    }
  }

  /// A setting that is unset unless given.
  package init<Wrapped: Sendable>(
    _ name: String, unit: String = "", _ rule: Rule<Wrapped>, emptyIsValue: Bool = false,
    _ summary: String
  ) where Value == Wrapped? {
    self.name = name
    self.defaultText = nil
    self.unit = unit
    self.rule = rule.optional
    self.summary = summary
    self.emptyIsValue = emptyIsValue
    self.defaultValue = nil
  }

  /// The flag without its dashes, as in `max-batch-size`.
  package var flagName: String { SettingName.flag(of: name) }
}

/// The names of settings, as they are written for people.
package enum SettingName {
  package static func flag(of variable: String) -> String {
    String(variable.lowercased().map { $0 == "_" ? "-" : $0 })
  }

  /// `10 s`, `2 days`, `1 day`.
  package static func withUnit(_ text: String, _ unit: String) -> String {
    if unit.isEmpty { return text }
    return text == "1" && unit.count > 1 && unit.hasSuffix("s") && unit != "ms"
      ? "\(text) \(unit.dropLast())" : "\(text) \(unit)"
  }
}
