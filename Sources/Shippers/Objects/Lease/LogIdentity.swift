import WAL

/// The identity of a log as it knows it, against which the place is held. A pure value.
///
/// Two logs of one `log_id`, a copy or a restored one and the log that it was made from, would give one offset two
/// meanings.
struct LogIdentity: Equatable {
  let logID: LogID
  /// The highest offset that the log itself has planned.
  var highestPlanned: Offset
  /// The tokens that the log's processes have put into the note, here and in other places;
  /// `nil` if the log has them no more.
  var tokens: Set<String>?

  /// A reason why the log is not the one that ships to the place.
  enum Objection: String {
    case plannedFurther = "another log of this log_id has planned further"
    case leased = "another log of this log_id ships, or has shipped, to this place"
    case unknown =
      "a log of this log_id ships, or has shipped, to this place, and whether it is this one cannot be read"
    case objects = "objects of this log_id are there with offsets that this log has not planned"
  }

  func objection(to note: LeaseNote) -> Objection? {
    guard note.logID == logID.rawValue else { return nil }
    if note.highestPlannedOffset > highestPlanned.rawValue { return .plannedFurther }
    guard let token = note.token else { return nil }
    guard let tokens else { return .unknown }
    return tokens.contains(token) ? nil : .leased
  }

  /// The first of some keys that this log can only come to.
  func unknownObject(among keys: [String]) -> String? {
    keys.first { key in
      guard let name = ObjectName(key: key) else { return false }
      return name.logID == logID && name.range.upperBound > highestPlanned
    }
  }
}
