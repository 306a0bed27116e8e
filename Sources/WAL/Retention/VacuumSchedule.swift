/// When free pages of the file are given back to the file system.
///
/// Pages that trimming has freed are used by what is appended next, and moving pages costs writes. So nothing is
/// given back before a fifth of the file is free; then everything is, a portion at a time.
struct VacuumSchedule {
  /// Pages moved in one transaction: a quarter of a MiB.
  static let portion = 64
  /// Not worth moving anything: a MiB.
  static let negligible = 256

  private var isUnderWay = false

  /// - Parameters:
  ///   - free: free pages in the file.
  ///   - total: all its pages.
  ///   - isSpaceShort: others need the space: everything is given back.
  /// - Returns: how many pages to give back now.
  mutating func pages(free: Int, total: Int, isSpaceShort: Bool) -> Int {
    if isSpaceShort || free > max(Self.negligible, total / 5) { isUnderWay = true }
    if free == 0 { isUnderWay = false }
    return isUnderWay ? min(free, Self.portion) : 0
  }
}
