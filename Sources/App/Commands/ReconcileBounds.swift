import Base
import Ticks
import WAL

/// The part of the log that `reconcile` compares.
struct ReconcileBounds: Sendable, Equatable {
  private let first: Offset?
  private let last: Offset?
  /// Microseconds since 1970, UTC.
  private let day: Range<Int64>?
  private let dayText: String

  /// - Throws: `BadSettings` with every mistake.
  init(from first: String?, to last: String?, day: String?) throws(BadSettings) {
    var problems: [BadSettings.Problem] = []
    func offset(_ text: String, _ flag: String) -> Offset? {
      if let number = DecimalDigits.parse(text, upTo: Int64.max), number >= 1 {
        return Offset(rawValue: number)
      }
      problems.append(.init(name: flag, value: Text.oneLine(text), allowed: "a whole number, 1 or more"))
      return nil
    }
    self.first = first.flatMap { offset($0, "--from-offset") }
    self.last = last.flatMap { offset($0, "--to-offset") }
    dayText = day ?? ""
    self.day = day.flatMap(Self.day)
    if let day, self.day == nil {
      problems.append(.init(name: "--day", value: Text.oneLine(day), allowed: "a date such as 2026-11-22"))
    }
    if let day, first != nil || last != nil {
      problems.append(
        .init(name: "--day", value: Text.oneLine(day), allowed: "given without --from-offset and --to-offset")
      )
    }
    guard problems.isEmpty else { throw BadSettings(problems: problems) }
  }

  /// - Throws: `LogError` with `notFound` for a day of which the log has nothing.
  func offsets(in reader: LogReader) async throws -> (first: Offset?, last: Offset?) {
    guard let day else { return (first, last) }
    guard let range = try await reader.offsets(receivedIn: day) else {
      throw LogError(.notFound, "the log has no ticks that were received on \(dayText)")
    }
    return (range.lowerBound, range.upperBound)
  }

  /// The microseconds of a day that exists.
  private static func day(_ text: String) -> Range<Int64>? {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 3, parts.map(\.count) == [4, 2, 2],
      let year = DecimalDigits.parse(parts[0], upTo: 9_999),
      let month = DecimalDigits.parse(parts[1], upTo: 12),
      let day = DecimalDigits.parse(parts[2], upTo: 31), year >= 1
    else { return nil }
    let midnight = CivilTime(year: year, month: month, day: day, hour: 0, minute: 0, second: 0)
    guard midnight.exists else { return nil }
    let start = Int64(midnight.epochSeconds) * 1_000_000
    return start..<start + 86_400_000_000
  }
}
