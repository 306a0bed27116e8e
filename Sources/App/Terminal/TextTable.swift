import Base

/// Rows of text in aligned columns.
struct TextTable: Sendable {
  enum Alignment: Sendable {
    case left, right
  }

  /// A column's heading and side; an empty heading in every column leaves the heading line out.
  struct Column: Sendable {
    let heading: String
    var alignment: Alignment = .left

    init(_ heading: String, _ alignment: Alignment = .left) {
      self.heading = heading
      self.alignment = alignment
    }
  }

  let columns: [Column]
  var rows: [[String]] = []

  init(_ columns: Column..., rows: [[String]] = []) {
    self.columns = columns
    self.rows = rows
  }

  /// Lines without trailing blanks.
  ///
  /// - Parameter width: where given, the widest left-aligned column is wrapped between words so that lines fit; what
  ///   needs more than ``mostLines`` is cut there. Where the words of a table with headings do not fit, each row is
  ///   a paragraph.
  func lines(width: Int? = nil) -> [String] {
    let headings = columns.map(\.heading)
    let hasHeading = headings.contains { !$0.isEmpty }
    let all = (hasHeading ? [headings] : []) + rows.map { $0.map { Text.oneLine($0, limit: 1_000) } }
    var widths = columns.indices.map { column in
      all.map { column < $0.count ? DisplayWidth.of($0[column]) : 0 }.max() ?? 0
    }
    if let width, !fit(&widths, all, into: width), hasHeading { return paragraphs(all, width) }
    return all.flatMap { row in
      let cells = row.prefix(columns.count).enumerated().map { column, cell in
        DisplayWidth.wrapped(cell, to: widths[column], atMost: Self.mostLines)
      }
      return (0..<(cells.map(\.count).max() ?? 0)).map { number in
        line(cells.map { number < $0.count ? $0[number] : "" }, widths)
      }
    }
  }

  /// The most lines that a row takes.
  private static let mostLines = 4

  private func line(_ cells: [String], _ widths: [Int]) -> String {
    var line = ""
    for (column, cell) in cells.enumerated() {
      if column > 0 { line += "  " }
      line += DisplayWidth.padded(cell, to: widths[column], right: columns[column].alignment == .right)
    }
    while line.last == " " { line.removeLast() }
    return line
  }

  /// - Returns: whether all words fit.
  private func fit(_ widths: inout [Int], _ rows: [[String]], into width: Int) -> Bool {
    let excess = widths.reduce(0, +) + 2 * (widths.count - 1) - width
    let left = widths.indices.filter { columns[$0].alignment == .left }
    guard excess > 0 else { return true }
    guard let widest = left.max(by: { widths[$0] < widths[$1] }) else { return false }
    widths[widest] = max(8, widths[widest] - excess)
    let words = rows.flatMap { widest < $0.count ? $0[widest].split(separator: " ") : [] }
    let hasRoom = widths.reduce(0, +) + 2 * (widths.count - 1) <= width
    return hasRoom && words.allSatisfy { DisplayWidth.of($0) <= widths[widest] }
  }

  /// Each row as `heading value, heading value`, the first value in front.
  private func paragraphs(_ rows: [[String]], _ width: Int) -> [String] {
    rows.dropFirst().flatMap { row in
      let facts = zip(columns, row).dropFirst().filter { !$1.isEmpty }.map { "\($0.heading) \($1)" }
      return DisplayWidth.wrapped(
        "\(row.first ?? ""): \(facts.joined(separator: ", "))", to: width, indent: 2)
    }
  }
}
