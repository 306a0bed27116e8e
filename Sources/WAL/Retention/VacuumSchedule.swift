/// The decision when free pages of the file are given back to the file system.
///
/// Pages that trimming has freed are used by what is appended next, and moving pages costs writes. So nothing is
/// given back before a fifth of the file is free; then everything is, a portion at a time.
struct VacuumSchedule {
  private let portion: Int
  private let negligible: Int
  private var isUnderWay = false

  /// - Parameters:
  ///   - portion: pages moved in one transaction; 64 are a quarter of a MiB.
  ///   - negligible: so many free pages are not worth moving anything; 256 are a MiB.
  init(portion: Int = 64, negligible: Int = 256) {
    self.portion = portion
    self.negligible = negligible
  }

  /// - Parameters:
  ///   - free: free pages in the file.
  ///   - total: all its pages.
  ///   - isSpaceShort: others need the space: everything is given back.
  /// - Returns: how many pages to give back now.
  mutating func pages(free: Int, total: Int, isSpaceShort: Bool) -> Int {
    if isSpaceShort || free > max(negligible, total / 5) { isUnderWay = true }
    if free == 0 { isUnderWay = false }
    return isUnderWay ? min(free, portion) : 0
  }
}
