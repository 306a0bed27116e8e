import Base
import WAL

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
          guard let percent = DecimalDigits.fraction(Text.trimmed(String(text.dropLast())), upTo: 100),
            percent < 100
          else { throw BadText() }
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

  /// At most a PiB, so that sums of sizes fit.
  static func bytes(_ text: Substring) -> Int? {
    let digits = text.prefix { $0.isNumber || $0 == "." }
    let unit = Text.trimmed(String(text.dropFirst(digits.count))).lowercased()
    guard let number = DecimalDigits.fraction(digits, upTo: 1e18) else { return nil }
    if unit.isEmpty { return number == 0 ? 0 : nil }
    guard let factor = units[unit] else { return nil }
    let bytes = number * Double(factor)
    return bytes <= Double(1 << 50) ? Int(bytes) : nil
  }
}
