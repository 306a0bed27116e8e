import Base
import Ticks

/// The events of an array, in its order, as many as one message may bring.
///
/// A message of 16 MiB can be an array of five million nothings: what is beyond the limits is checked and counted, and
/// not held.
struct EventArray {
  /// The elements of one array that are looked at. No array that the exchange's documents know has a twentieth of it.
  static let mostElements = 100_000
  /// Room for so many events is kept for the next message.
  private static let usualElements = 8_192

  private(set) var events: [EventOutline] = []
  /// Elements that are no objects: the first of them.
  private(set) var strangers: [Range<Int>] = []
  private(set) var others = Others()

  /// The elements that are not held.
  struct Others: Equatable {
    /// All of them.
    var count = 0
    /// Those beyond the limit that are objects, and those of them that say what they are.
    var objects = 0
    var named = 0
    var first: Range<Int>?

    mutating func add(_ range: Range<Int>) {
      count += 1
      first = first ?? range
    }
  }

  var isEmpty: Bool { events.isEmpty && strangers.isEmpty }

  /// Walks over the array before which the scanner stands, forgetting the last one.
  mutating func walk(
    _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) {
    events.removeAll(keepingCapacity: events.count <= Self.usualElements)
    strangers.removeAll()
    others = Others()
    var array = try scanner.enterArray()
    var count = 0
    while try scanner.nextElement(&array) {
      count += 1
      let isWithin = count <= Self.mostElements
      if try scanner.peekKind() == .object {
        let event = try EventOutline(&scanner, bytes)
        if isWithin { events.append(event) } else { passOver(event) }
      } else {
        let range = try scanner.skipValue().range
        if isWithin, strangers.count < RejectedElements.most {
          strangers.append(range)
        } else {
          others.add(range)
        }
      }
    }
  }

  private mutating func passOver(_ event: EventOutline) {
    others.add(event.range)
    others.objects += 1
    if event.saysWhatItIs || event.quote == .all { others.named += 1 }
  }
}
