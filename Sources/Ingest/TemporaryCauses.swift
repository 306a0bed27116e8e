import WAL
extension Gap.Cause {
  static let frozen = Gap.Cause(rawValue: "frozen")
  static let unsubscribed = Gap.Cause(rawValue: "unsubscribed")
}
