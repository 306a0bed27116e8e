import ArgumentParser
import Base
import Shippers
import WAL

/// The room that the log takes, and the limits at which its volume counts as full.
struct SpaceSettings: Sendable, Equatable {
  /// The time for which ticks are kept after they were appended; longer while a consumer has not shipped them.
  let retention: Duration
  let disk: DiskLimits

  static let retention = Setting(
    "WAL_RETENTION_HOURS", default: "24", unit: "hours", .hours(atMost: 87_600),
    "How long the log keeps ticks; longer while they are not shipped")
  static let diskLow = Setting(
    "DISK_LOW", default: "15%", .diskAmount,
    "Free space of the log's volume below which what is shipped is trimmed at once")
  static let diskStop = Setting(
    "DISK_STOP", default: "5%", .diskAmount,
    "Free space of the log's volume below which the feed is paused")
  static let ballastSize = Setting(
    "BALLAST_SIZE", default: "64MiB", .size,
    "File kept beside the log, given up when the volume is full; at most 1% of the volume")

  struct Flags: ParsableArguments, Sendable {
    @Option(SpaceSettings.retention) var walRetentionHours: String?
    @Option(SpaceSettings.diskLow) var diskLow: String?
    @Option(SpaceSettings.diskStop) var diskStop: String?
    @Option(SpaceSettings.ballastSize) var ballastSize: String?
  }

  init(_ reader: inout SettingReader) {
    retention = reader.value(Self.retention, \Flags.walRetentionHours)
    let low = reader.value(Self.diskLow, \Flags.diskLow)
    let stop = reader.value(Self.diskStop, \Flags.diskStop)
    disk = DiskLimits(
      low: low, stop: stop, ballast: reader.value(Self.ballastSize, \Flags.ballastSize))
    if low.isSurelyBelow(stop) {
      reader.warn("DISK_LOW is below DISK_STOP: the feed is paused before anything is trimmed for space")
    }
  }
}

extension DiskLimits.Amount {
  /// Whether it is less on a volume of any size.
  fileprivate func isSurelyBelow(_ other: DiskLimits.Amount) -> Bool {
    switch (self, other) {
    case (.bytes(let own), .bytes(let others)): own < others
    case (.percent(let own), .percent(let others)): own < others
    default: false
    }
  }
}

extension Rule where Value == Int {
  /// A number of bytes with a unit, `64MiB`; 0 needs none.
  static var size: Rule {
    Rule(
      allowed: "a size with a unit, such as 64MiB or 1GB, or 0", placeholder: "size", mayBeginWithDash: true,
      parse: { text throws(BadText) in
        guard let bytes = SizeText.bytes(Text.trimmed(text)) else { throw BadText() }
        return bytes
      })
  }
}

extension Rule where Value == DiskLimits.Amount {
  /// A share of the volume, `15%`, or a number of bytes with a unit.
  static var diskAmount: Rule {
    Rule(
      allowed: "a share of the volume such as 15%, below 100%, or a size with a unit such as 10GiB, or 0",
      placeholder: "share|size", mayBeginWithDash: true,
      parse: { text throws(BadText) in
        let text = Text.trimmed(text)
        if text.last == "%" {
          guard let percent = SizeText.number(Text.trimmed(String(text.dropLast()))), percent < 100 else {
            throw BadText()
          }
          return .percent(percent)
        }
        guard let bytes = SizeText.bytes(text) else { throw BadText() }
        return .bytes(bytes)
      })
  }
}

/// Sizes as people write them.
enum SizeText {
  private static let units: [String: Int] = [
    "b": 1, "k": 1 << 10, "kb": 1_000, "kib": 1 << 10, "m": 1 << 20, "mb": 1_000_000, "mib": 1 << 20,
    "g": 1 << 30, "gb": 1_000_000_000, "gib": 1 << 30, "t": 1 << 40, "tb": 1_000_000_000_000, "tib": 1 << 40,
  ]

  /// Digits, perhaps with a fraction.
  static func number(_ text: Substring) -> Double? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    return parts.allSatisfy(Text.isDigits) ? Double(text) : nil
  }

  /// At most a PiB, so that sums of sizes fit.
  static func bytes(_ text: Substring) -> Int? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let unit = Text.trimmed(String(text.dropFirst(digits.count))).lowercased()
    guard let number = number(digits) else { return nil }
    if unit.isEmpty { return number == 0 ? 0 : nil }
    guard let factor = units[unit] else { return nil }
    let bytes = number * Double(factor)
    return bytes <= Double(1 << 50) ? Int(bytes) : nil
  }
}
