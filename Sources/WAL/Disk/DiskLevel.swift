/// The room on the log's volume, as others are told.
package enum DiskLevel: String, Sendable, CaseIterable {
  case normal
  /// Ticks that are shipped are trimmed whatever their age.
  case low
  /// Nothing is appended; shipping goes on.
  case stop
  /// A write found no room.
  case full

  init(_ level: DiskGuard.Level) {
    self =
      switch level {
      case .normal: .normal
      case .low: .low
      case .stop: .stop
      case .full: .full
      }
  }
}
