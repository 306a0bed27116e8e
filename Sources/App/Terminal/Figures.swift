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

  /// Per second: `12,345/s`, below ten with one digit after the point.
  static func rate(_ count: Int, in duration: Duration) -> String {
    guard duration > .zero else { return "0/s" }
    let rate = Double(count) / (duration / .seconds(1))
    return (rate < 10 ? decimal(rate) : grouped(Int(rate))) + "/s"
  }
}
