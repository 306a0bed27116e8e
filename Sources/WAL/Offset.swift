import Base

/// The position of one tick in the log: starts at 1, grows by 1, is never reused.
///
/// One that was read from a file may be any number: arithmetic ends at the bounds of 64 bits.
package struct Offset: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  package let rawValue: Int64

  package init(rawValue: Int64) {
    self.rawValue = rawValue
  }

  /// The first offset of every log.
  package static let first = Offset(rawValue: 1)
  /// The head of a log that nothing was ever appended to.
  package static let zero = Offset(rawValue: 0)

  package var next: Offset { Offset(rawValue: rawValue.addingSaturated(1)) }
  package var previous: Offset { Offset(rawValue: rawValue.subtractingSaturated(1)) }

  package func advanced(by distance: Int) -> Offset {
    Offset(rawValue: rawValue.addingSaturated(Int64(distance)))
  }

  /// The distance from this offset to a later one.
  package func distance(to other: Offset) -> Int { Int(other.rawValue.subtractingSaturated(rawValue)) }

  package static func < (left: Offset, right: Offset) -> Bool { left.rawValue < right.rawValue }
  package var description: String { String(rawValue) }
}

extension Figures {
  /// As a number: `1,234,567`.
  package static func grouped(_ offset: Offset) -> String { grouped(offset.rawValue) }
}

/// A contiguous run of offsets, both ends included; never empty.
package typealias OffsetRange = ClosedRange<Offset>

extension ClosedRange where Bound == Offset {
  /// The count of offsets in it.
  package var length: Int { lowerBound.distance(to: upperBound).addingSaturated(1) }

  /// The ranges that are left without some others, which are in order.
  package func without(_ others: [OffsetRange]) -> [OffsetRange] {
    var left: [OffsetRange] = []
    var next = lowerBound
    for other in others {
      if other.lowerBound > next, next <= upperBound {
        left.append(next...Swift.min(other.lowerBound.previous, upperBound))
      }
      next = Swift.max(next, other.upperBound.next)
    }
    if next <= upperBound { left.append(next...upperBound) }
    return left
  }
}
