/// From how little room on the log's volume something is done about it.
package struct DiskLimits: Sendable, Equatable {
  /// An amount of space.
  package enum Amount: Sendable, Equatable {
    case bytes(Int)
    /// Of the volume's size, 0 to 100.
    case percent(Double)

    /// - Parameter volume: its size in bytes.
    package func bytes(of volume: Int) -> Int {
      switch self {
      case .bytes(let bytes): bytes
      case .percent(let percent): Int(Double(volume) * percent / 100)
      }
    }
  }

  /// Below it what is shipped is trimmed whatever its age (`DISK_LOW`).
  package var low: Amount
  /// Below it nothing is appended (`DISK_STOP`).
  package var stop: Amount
  /// Bytes of the ballast (`BALLAST_SIZE`), if the volume is at least a hundred times as large.
  package var ballast: Int

  package init(low: Amount, stop: Amount, ballast: Int) {
    self.low = low
    self.stop = stop
    self.ballast = ballast
  }

  /// Nothing is watched, and there is no ballast.
  package static let off = DiskLimits(low: .bytes(0), stop: .bytes(0), ballast: 0)

  /// Whole pages, and 1 % of the volume at most.
  func ballast(of volume: Int) -> Int { min(ballast, volume / 100) & ~4095 }
}
