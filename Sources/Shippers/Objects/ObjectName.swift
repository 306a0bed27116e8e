import Base
import WAL

/// The facts that the key of an object tells about it, as ``ObjectKey`` made it.
package struct ObjectName: Equatable {
  package let logID: LogID
  package let range: OffsetRange

  /// `nil` for anything else that may lie in the bucket.
  package init?(key: String) {
    var name =
      key.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).last ?? ""[...].utf8
    if name.hasSuffix(ObjectKey.gzipSuffix) { name = name.dropLast(ObjectKey.gzipSuffix.utf8.count) }
    guard name.hasSuffix(Self.suffix) else { return nil }
    let parts = name.dropLast(Self.suffix.utf8.count).split(
      separator: UInt8(ascii: "-"), omittingEmptySubsequences: false
    ).suffix(3).map { Substring($0) }
    guard parts.count == 3, parts[0].utf8.count == 16, parts[0].utf8.allSatisfy(Self.isHexDigit),
      let first = Self.offset(parts[1]), let last = Self.offset(parts[2]), first <= last
    else { return nil }
    logID = LogID(rawValue: String(parts[0]))
    range = first...last
  }

  private static let suffix = ".jsonl"

  private static func isHexDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): true
    default: false
    }
  }

  /// Written as offsets are: no sign, no padding.
  private static func offset(_ text: Substring) -> Offset? {
    guard let value = DecimalDigits.parse(text, upTo: Int64.max), value >= 1, text.first != "0" else {
      return nil
    }
    return Offset(rawValue: value)
  }
}

extension Substring.UTF8View {
  fileprivate func hasSuffix(_ text: String) -> Bool { suffix(text.utf8.count).elementsEqual(text.utf8) }
}
