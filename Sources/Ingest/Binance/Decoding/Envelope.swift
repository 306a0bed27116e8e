import Base
import Ticks

/// A message's outermost object: at once an event and what may wrap one.
struct Envelope {
  enum Data {
    case absent
    case event(EventOutline)
    /// Lie in the array that was given to the walk.
    case elements
    case other
  }

  /// The object as an event.
  private(set) var own: EventOutline
  private(set) var hasStream = false
  /// Of the combined message, if it is a string.
  private(set) var stream: JSONValue?
  private(set) var data = Data.absent
  private(set) var answer = AnswerOutline()
  /// `event`, in which another of the exchange's interfaces wraps its announcements.
  private(set) var notice: JSONValue?

  /// Walks over the object before which the scanner stands.
  /// - Parameter array: gets what the message wraps, if that is an array.
  init(
    _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>, array: inout EventArray
  ) throws(JSONError) {
    own = EventOutline(start: scanner.position)
    var object = try scanner.enterObject()
    while let key = try scanner.nextKey(&object) {
      if let short = scanner.singleByteName(key) {
        own.take(key: short, try scanner.skipValue(), bytes)
      } else if bytes.isEqual(key, to: "data") {
        data = try Self.walkData(&scanner, bytes, &array)
      } else {
        take(key, try scanner.skipValue(), bytes)
      }
    }
    own.end(at: scanner.position)
  }

  private mutating func take(_ key: JSONValue, _ value: JSONValue, _ bytes: UnsafeBufferPointer<UInt8>) {
    if bytes.isEqual(key, to: "stream") || bytes.isEqual(key, to: "stream_type") {
      hasStream = true
      stream = value.kind == .string ? value : nil
    } else if bytes.isEqual(key, to: "event") {
      notice = value
    } else {
      own.take(key: key, value, bytes)
      answer.take(key: key, value, bytes)
    }
  }

  private static func walkData(
    _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>, _ array: inout EventArray
  ) throws(JSONError) -> Data {
    switch try scanner.peekKind() {
    case .object: return .event(try EventOutline(&scanner, bytes))
    case .array:
      try array.walk(&scanner, bytes)
      return .elements
    case .string, .number, .literal:
      _ = try scanner.skipValue()
      return .other
    }
  }

  /// True for the announcement that the server will close the connection: an event of no symbol, alone,
  /// as data, or as `event`. The exchange's documents show the first and the last.
  func isShutdown(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    if hasStream {
      guard case .event(let event) = data else { return false }
      return event.isShutdown(bytes)
    }
    guard let notice, notice.kind == .object, !own.saysWhatItIs else { return own.isShutdown(bytes) }
    let inner = UnsafeBufferPointer(rebasing: bytes[notice.range])
    var scanner = JSONScanner(inner)
    guard let event = try? EventOutline(&scanner, inner) else { return false }
    return event.isShutdown(inner)
  }
}
