/// The position of one tick in the log: starts at 1, grows by 1, is never reused.
public struct Offset: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: Int64

  public init(rawValue: Int64) {
    self.rawValue = rawValue
  }

  /// The first offset of every log.
  public static let first = Offset(rawValue: 1)
  /// The head of a log that nothing was ever appended to.
  public static let none = Offset(rawValue: 0)

  public var next: Offset { Offset(rawValue: rawValue + 1) }
  public var previous: Offset { Offset(rawValue: rawValue - 1) }

  public func advanced(by distance: Int) -> Offset { Offset(rawValue: rawValue + Int64(distance)) }

  /// How many offsets lie between this one and a later one.
  public func distance(to other: Offset) -> Int { Int(other.rawValue - rawValue) }

  public static func < (left: Offset, right: Offset) -> Bool { left.rawValue < right.rawValue }
  public var description: String { String(rawValue) }
}

/// A contiguous run of offsets, both ends included; never empty.
public typealias OffsetRange = ClosedRange<Offset>

extension ClosedRange where Bound == Offset {
  /// How many offsets it holds.
  public var length: Int { lowerBound.distance(to: upperBound) + 1 }

  /// What is left without some other ranges, which are in order.
  public func without(_ others: [OffsetRange]) -> [OffsetRange] {
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
