import WAL
extension Gap.Cause {
  static let frozen = Gap.Cause(rawValue: "frozen")
  static let unsubscribed = Gap.Cause(rawValue: "unsubscribed")
}
extension Gap { var detail: String? { nil } }
extension WriteTransaction {
  func openGap(startedAt: Int64, cause: Gap.Cause, streams: [String], detail: String?) throws -> Gap.ID {
    try openGap(startedAt: startedAt, cause: cause, streams: streams)
  }
}
