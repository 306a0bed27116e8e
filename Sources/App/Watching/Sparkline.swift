/// A row of small bars, one a value, as high as the greatest of them allows. Pure.
enum Sparkline {
  private static let bars: [Character] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]

  /// - Parameters:
  ///   - values: the last ones are shown if there are more than columns; what is no number, or below 0, is 0.
  ///   - full: the value of a full bar, if none is greater.
  static func text(_ values: [Double], width: Int, full: Double = 0) -> String {
    let shown = values.suffix(max(0, width)).map { $0.isFinite ? max(0, $0) : 0 }
    guard let highest = shown.max() else { return "" }
    let greatest = max(highest, full)
    return String(
      shown.map { value in
        guard greatest > 0 else { return bars[0] }
        return bars[min(bars.count - 1, Int(value / greatest * Double(bars.count - 1) + 0.5))]
      })
  }
}
