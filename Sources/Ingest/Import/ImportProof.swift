import Base

/// The decision whether a file is one of ticks at all, made before anything of it is kept: one of its first lines must
/// be a tick. A pure value.
struct ImportProof: Sendable {
  /// Why a file is refused.
  enum Refusal: Equatable, CustomStringConvertible {
    case lines(Int)
    case all

    var description: String {
      switch self {
      case .lines(let count): "none of the first \(Figures.grouped(count)) lines"
      case .all: "no line"
      }
    }
  }

  /// Lines that may come before the first tick, empty ones not counted.
  static let lines = 100
  /// Bytes that may come before it: they are held until then.
  static let bytes = 16 << 20

  /// Whether there was a tick, or nobody asks for one.
  var isThere = false
  private var lines = 0
  private var bytes = 0

  /// A line that is not empty was taken.
  mutating func took(bytes count: Int, isTick: Bool) -> Refusal? {
    if isThere { return nil }
    isThere = isTick
    lines += 1
    bytes += count
    return isThere || lines < Self.lines && bytes <= Self.bytes ? nil : .lines(lines)
  }

  /// The file has ended. One without lines is no wrong one.
  func ended() -> Refusal? { isThere || lines == 0 ? nil : .all }
}
