import Base
import WAL

/// Follows the log, beside a running writer, and gives each tick that is wanted as a line; moves no consumer.
///
/// A page is read, then written: nothing of the log is held while its reader takes it, or while nothing comes. What
/// is read so late that it has been trimmed meanwhile is said.
package struct Tap: Sendable {
  /// Something beside the lines that whoever reads them should know.
  package enum News: Sendable, Equatable {
    /// These were trimmed before they were read.
    case trimmed(OffsetRange)
    /// A tick that cannot be shown.
    case unreadable(Offset, String)
  }

  package let reader: LogReader
  package let form: TickForm
  package let streams: StreamPatterns
  /// The lines after which it ends; `nil` for never.
  package let count: Int?

  package init(reader: LogReader, form: TickForm, streams: StreamPatterns, count: Int? = nil) {
    self.reader = reader
    self.form = form
    self.streams = streams
    self.count = count
  }

  /// The offset to begin with.
  ///
  /// - Parameter wanted: `nil` for the next one that is appended.
  /// - Throws: `LogError` with `notFound` for an offset that the log does not have.
  package func start(at wanted: Offset?) async throws -> Offset {
    let head = try await reader.head()
    guard let wanted else { return head.next }
    let oldest = try await reader.oldest()
    guard wanted >= oldest ?? head.next, wanted <= head.next else {
      let kept =
        oldest.map { "the log has \(Figures.grouped($0)) to \(Figures.grouped(head))" }
        ?? "the log has no ticks: its head is \(Figures.grouped(head))"
      throw LogError(.notFound, "cannot begin at offset \(Figures.grouped(wanted)): \(kept)")
    }
    return wanted
  }

  /// Goes on until `count` lines are written, or it is cancelled.
  ///
  /// - Parameters:
  ///   - write: returns when the lines are taken.
  ///   - idle: called when there is nothing to read now; returns when it is time to look again.
  /// - Throws: what the closures throw; `LogError`.
  package func follow(
    from first: Offset, write: ([UInt8]) async throws -> Void, tell: (News) -> Void,
    idle: () async throws -> Void
  ) async throws {
    var next = first
    var lines = TickLines(form)
    var left = count ?? .max
    while left > 0 {
      try Task.checkCancellation()
      let page: TickPage
      do {
        page = try await reader.page(from: next, maximumTicks: TickSource.pageTicks)
      } catch let error as LogError where error.code == .notFound {
        next = try await passTrimmed(from: next, tell)
        continue
      }
      guard let range = page.range else {
        try await idle()
        continue
      }
      lines.removeAll()
      append(page, to: &lines, atMost: &left, tell)
      if !lines.bytes.isEmpty { try await write(lines.bytes) }
      next = range.upperBound.next
    }
  }

  private func passTrimmed(from next: Offset, _ tell: (News) -> Void) async throws -> Offset {
    let head = try await reader.head()
    let kept = try await reader.oldest() ?? head.next
    // Otherwise it was no trimming, and would be found again for ever.
    guard kept > next else {
      throw LogError(.notFound, "offset \(Figures.grouped(next)) is not in the log any more")
    }
    tell(.trimmed(next...kept.previous))
    return kept
  }

  private func append(
    _ page: TickPage, to lines: inout TickLines, atMost left: inout Int, _ tell: (News) -> Void
  ) {
    for row in page.bad { tell(.unreadable(row.offset, row.cause)) }
    page.ticks.bytes.withUnsafeBufferPointer { texts in
      for (offset, entry) in zip(page.offsets, page.ticks.entries) {
        guard left > 0 else { return }
        guard streams.match(texts[entry.stream]) else { continue }
        do throws(JSONError) {
          try lines.append(entry, in: texts)
          left -= 1
        } catch {
          tell(.unreadable(offset, "\(error)"))
        }
      }
    }
  }
}
