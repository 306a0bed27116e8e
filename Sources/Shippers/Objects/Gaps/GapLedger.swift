import Base
import FoundationEssentials
import WAL

/// The gaps that have an object in one place, and those whose object says that they are open: a pure value, kept
/// in the log's `meta`.
///
/// Gaps get their objects in the order of their ids, so that one id and a short list say it all.
struct GapLedger: Equatable, Codable {
  /// A gap that is still open is passed over once its object says so. With so many of them, what follows the
  /// next open one waits until some have ended.
  static let maximumOpen = 4_096

  /// The consumer's destination and the log's name, both part of where an object is.
  let destination: String
  let logID: String
  /// Every gap before this one has an object.
  private(set) var next: Int64 = 1
  /// Those of them whose objects say that they are open, or that they ended earlier than they did: the log adds a
  /// gap that is extended.
  private(set) var open: [Int64] = []

  enum CodingKeys: String, CodingKey {
    case destination, next, open
    case logID = "log_id"
  }

  /// The key in the log's `meta` under which it is kept.
  static func metaKey(_ consumer: ConsumerName) -> String { "gaps \(consumer)" }

  init(destination: String, logID: LogID) {
    self.destination = destination
    self.logID = logID.rawValue
  }

  /// The same gaps, with their objects in another place.
  func moved(to destination: String, logID: LogID) -> GapLedger {
    var moved = GapLedger(destination: destination, logID: logID)
    moved.next = next
    moved.open = open
    return moved
  }

  var nextGap: Gap.ID { Gap.ID(rawValue: next) }
  var openGaps: [Gap.ID] { open.map { Gap.ID(rawValue: $0) } }

  /// Whether the next gap is to get its object now.
  ///
  /// - Parameter oldest: gaps up to this one have been open for long enough to be worth an object of their own.
  func isDue(_ gap: Gap, openThrough oldest: Gap.ID) -> Bool {
    gap.endedAt != nil || (gap.id.rawValue <= oldest.rawValue && open.count < Self.maximumOpen)
  }

  /// Notes that a gap's object says what the gap was like when it was read.
  mutating func wrote(_ gap: Gap) {
    if gap.endedAt != nil {
      forget(gap.id)
    } else if !open.contains(gap.id.rawValue) {
      open.append(gap.id.rawValue)
    }
    next = max(next, gap.id.rawValue.addingSaturated(1))
  }

  /// Adds gaps that have changed in the log since their objects were written.
  ///
  /// - Parameters:
  ///   - stored: the note as it is in the log: gaps were added to it that were told of before.
  ///   - told: the gaps as their objects say that they are, since the note was read or written last.
  ///   - current: a gap as it is now; `nil` if it is not kept.
  mutating func addChanged(
    stored: GapLedger?, told: [Gap], current: (Gap.ID) throws -> Gap?
  ) rethrows {
    let told = Dictionary(told.map { ($0.id.rawValue, $0) }) { $1 }
    for id in Set(told.keys).union(stored?.open ?? []).subtracting(open).sorted() {
      guard let gap = try current(Gap.ID(rawValue: id)), gap != told[id] else { continue }
      open.append(id)
    }
  }

  /// Notes that a gap is in the log no more.
  mutating func forget(_ id: Gap.ID) {
    open.removeAll { $0 == id.rawValue }
  }
}

extension GapLedger {
  init(json: String) throws {
    self = try JSONDecoder().decode(GapLedger.self, from: Data(json.utf8))
  }

  func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(self), as: UTF8.self)
  }
}
