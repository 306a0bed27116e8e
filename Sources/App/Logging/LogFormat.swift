/// How messages are written.
enum LogFormat: String, CaseIterable, Sendable {
  case text, json
}
