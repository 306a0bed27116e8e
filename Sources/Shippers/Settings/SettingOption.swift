import ArgumentParser
import Base

extension Option where Value == String? {
  /// The flag of a setting. Always text: values are checked together with the environment's, so that every
  /// mistake is reported at once.
  package init<Checked>(_ setting: Setting<Checked>) {
    var details = setting.name
    if let text = setting.defaultText {
      details += "; default: " + SettingName.withUnit(text, setting.unit)
    }
    self.init(
      name: .customLong(setting.flagName),
      // A negative number must reach the check and be named there, not be taken for another flag.
      parsing: setting.rule.mayBeginWithDash ? .unconditional : .next,
      help: ArgumentHelp("\(setting.summary) (\(details))", valueName: setting.rule.placeholder))
  }
}
