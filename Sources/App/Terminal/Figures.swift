import Base

extension Figures {
  /// Bytes with a unit: `512 B`, `1.5 KiB`, `64 MiB`.
  static func bytes(_ count: Int) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
    guard count.magnitude >= 1024 else { return "\(count) B" }
    var value = Double(count)
    var unit = -1
    // What would be shown as 1024 of a unit is 1 of the next.
    while abs(value) >= 1023.95, unit < units.count - 1 {
      value /= 1024
      unit += 1
    }
    return "\(decimal(value)) \(units[unit])"
  }

  /// A time with at most two units: `350 ms`, `2.5 s`, `1 min 05 s`, `2 h 07 min`, `3 d 04 h`.
  static func duration(_ duration: Duration) -> String {
    guard duration >= .zero else { return "-" + self.duration(.zero - duration) }
    if duration < .seconds(1) { return "\(Int(duration / .milliseconds(1))) ms" }
    if duration < .seconds(60) { return "\(decimal((duration / .milliseconds(100)).rounded(.down) / 10)) s" }
    let seconds = Int(duration.components.seconds)
    switch seconds {
    case ..<3_600: return "\(seconds / 60) min \(twoDigits(seconds % 60)) s"
    case ..<86_400: return "\(seconds / 3_600) h \(twoDigits(seconds % 3_600 / 60)) min"
    default: return "\(grouped(seconds / 86_400)) d \(twoDigits(seconds % 86_400 / 3_600)) h"
    }
  }

  /// Per second: `12,345/s`, below ten with one digit after the point.
  static func rate(_ count: Int, in duration: Duration) -> String {
    guard duration > .zero else { return "0/s" }
    let rate = Double(count) / (duration / .seconds(1))
    return (rate < 10 ? decimal(rate) : grouped(Int(rate))) + "/s"
  }

  /// One digit after the point, none if it would be zero or the number has three digits already.
  private static func decimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    if tenths.magnitude >= 1_000 || tenths.isMultiple(of: 10) { return "\(Int(value.rounded()))" }
    return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
  }

  private static func twoDigits(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
