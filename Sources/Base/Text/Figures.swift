/// Numbers as people read them.
package enum Figures {
  /// A rate or the like, rounded, as ``grouped(_:)``; whatever somebody else has told, it is a number.
  package static func rounded(_ value: Double) -> String {
    grouped(value.isNaN ? 0 : Int(min(max(value, -1e15), 1e15).rounded()))
  }

  /// `1234567` as `1,234,567`.
  package static func grouped(_ number: some BinaryInteger) -> String {
    let digits = String(number.magnitude)
    var text = number < 0 ? "-" : ""
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
      text.append(digit)
    }
    return text
  }

  /// A number with what it counts: `1 stream`, `1,040 streams`.
  package static func counted(_ number: some BinaryInteger, _ thing: String) -> String {
    "\(grouped(number)) \(thing)\(number == 1 ? "" : "s")"
  }

  /// The same of a word that is given in the plural, with an `s` at its end.
  package static func counted(_ number: some BinaryInteger, plural things: String) -> String {
    counted(number, String(things.dropLast()))
  }

  /// A time with at most two units: `350 ms`, `2.5 s`, `60 s`, `1 min 05 s`, `2 h 07 min`, `3 d 04 h`; of a whole
  /// number of the greater one, that alone: `5 min`.
  package static func duration(_ duration: Duration) -> String {
    guard duration >= .zero else { return "-" + self.duration(.zero - duration) }
    if duration < .seconds(1) { return "\(Int(duration / .milliseconds(1))) ms" }
    if duration < .seconds(61) { return "\(decimal((duration / .milliseconds(100)).rounded(.down) / 10)) s" }
    let seconds = Int(duration.components.seconds)
    switch seconds {
    case ..<3_600: return pair(seconds / 60, "min", seconds % 60, "s")
    case ..<86_400: return pair(seconds / 3_600, "h", seconds % 3_600 / 60, "min")
    default: return pair(seconds / 86_400, "d", seconds % 86_400 / 3_600, "h")
    }
  }

  /// Bytes with a unit: `512 B`, `1.5 KiB`, `64 MiB`.
  package static func bytes(_ count: Int) -> String {
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

  /// One digit after the point, none if it would be zero or the number has three digits already.
  package static func decimal(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    if tenths.magnitude >= 1_000 || tenths.isMultiple(of: 10) { return "\(Int(value.rounded()))" }
    return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
  }

  private static func pair(_ large: Int, _ largeUnit: String, _ small: Int, _ smallUnit: String) -> String {
    guard small > 0 else { return "\(grouped(large)) \(largeUnit)" }
    return "\(grouped(large)) \(largeUnit) \(small < 10 ? "0" : "")\(small) \(smallUnit)"
  }
}
