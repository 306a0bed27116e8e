/// The origin of a value in force.
package enum SettingSource: String, Sendable {
  case byDefault = "default"
  case environment
  case flag
}

/// One setting as it is in force.
package struct SettingEntry: Sendable, Equatable {
  package let name: String
  /// Safe to show; nil where the setting is unset.
  package let value: String?
  package let unit: String
  package let source: SettingSource
  /// Whether it is another value than the default.
  package let isChanged: Bool
}

/// Reads settings one after another, and keeps every mistake instead of stopping at the first.
package struct SettingReader {
  private let environment: [String: String]
  private let groups: [any Sendable]
  private var known = Set<String>()
  package private(set) var entries: [SettingEntry] = []
  package private(set) var problems: [BadSettings.Problem] = []
  package private(set) var warnings: [String] = []

  /// - Parameter groups: the flag groups of the command that runs; settings of other groups keep their
  ///   defaults, so that `status` does not fail for a variable that only `run` uses.
  package init(environment: [String: String], groups: [any Sendable]) {
    self.environment = environment
    self.groups = groups
  }

  /// The setting's value in force: its flag, else its variable, else its default. After a mistake the
  /// default, which nobody gets to see because `problems` is no longer empty.
  package mutating func value<Group, Value>(
    _ setting: Setting<Value>, _ flag: KeyPath<Group, String?>
  ) -> Value {
    known.insert(setting.name)
    guard let group = groups.lazy.compactMap({ $0 as? Group }).first else { return setting.defaultValue }
    // An empty flag takes a variable back: it means the default.
    let (text, source): (String?, SettingSource) =
      if let given = group[keyPath: flag] { (given, .flag) } else {
        (environment[setting.name], .environment)
      }
    guard let text, !text.isEmpty || setting.emptyIsValue else {
      note(setting, setting.defaultText, text != nil && source == .flag ? .flag : .byDefault)
      return setting.defaultValue
    }
    do {
      let value = try setting.rule.parse(text)
      note(setting, text, source)
      return value
    } catch {
      problems.append(
        BadSettings.Problem(
          name: source == .flag ? "--" + setting.flagName : setting.name,
          value: Text.oneLine(setting.rule.shown(text)), allowed: setting.rule.allowed, reason: error.reason))
      return setting.defaultValue
    }
  }

  /// Refuses a setting that is unset, where the command uses it.
  package mutating func require<Group, Value>(
    _ setting: Setting<Value>, _ flag: KeyPath<Group, String?>, because reason: String
  ) {
    guard let group = groups.lazy.compactMap({ $0 as? Group }).first,
      (group[keyPath: flag] ?? environment[setting.name] ?? "").isEmpty
    else { return }
    problems.append(.unset(setting, because: reason))
  }

  package mutating func warn(_ sentence: String) { warnings.append(sentence) }

  /// A variable that another module reads by itself: checked and shown here all the same.
  package mutating func foreign(_ name: String, _ rule: Rule<some Sendable>?, isSecret: Bool = false) {
    guard let text = environment[name], !text.isEmpty else { return }
    do {
      _ = try rule?.parse(text)
      let shown = isSecret ? "(hidden)" : Text.oneLine(rule?.shown(text) ?? text)
      entries.append(SettingEntry(name: name, value: shown, unit: "", source: .environment, isChanged: true))
    } catch {
      problems.append(
        BadSettings.Problem(
          name: name, value: isSecret ? "(hidden)" : Text.oneLine(rule?.shown(text) ?? text),
          allowed: rule?.allowed ?? "", reason: error.reason))
    }
  }

  /// Warns of variables that look like settings and are none: a typing mistake would stay unnoticed otherwise.
  /// To be called after everything was read.
  ///
  /// - Parameter families: how the names of settings begin.
  package mutating func warnOfUnknownNames(families: [String]) {
    let strangers = environment.keys.filter { name in
      !known.contains(name) && families.contains { name.hasPrefix($0) }
    }
    for name in strangers.sorted() {
      warn("\(Text.oneLine(name)) is set, but tickwal has no setting of that name")
    }
  }

  /// Whether the command has the flags of this group, and so uses its settings.
  package func reads<Group>(_: Group.Type) -> Bool { groups.contains { $0 is Group } }

  package func isSet(_ name: String) -> Bool { !(environment[name] ?? "").isEmpty }

  private mutating func note(_ setting: Setting<some Sendable>, _ text: String?, _ source: SettingSource) {
    let shown = text.map { Text.oneLine(setting.rule.shown($0)) }
    entries.append(
      SettingEntry(
        name: setting.name, value: shown, unit: shown == nil ? "" : setting.unit, source: source,
        isChanged: text != setting.defaultText))
  }
}
