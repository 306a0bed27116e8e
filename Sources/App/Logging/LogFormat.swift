/// The form in which messages are written.
enum LogFormat: String, CaseIterable, Sendable {
  case text, json
}
