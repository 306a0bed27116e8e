import Ticks
import WAL

/// Turns messages of an exchange into ticks, straight from their bytes.
///
/// Takes combined messages, events alone and arrays of events. A tick needs valid JSON, an object as event and
/// a stream's name; nothing else is asked of it. What is no tick is given back with the reason.
public struct MessageDecoder: Sendable {
  /// What a message was.
  public enum Outcome: Equatable, Sendable {
    /// Ticks were added, perhaps none (an empty array), perhaps besides rejected elements of an array.
    case ticks(Int)
    /// The answer to a request such as SUBSCRIBE.
    case answer(RequestAnswer)
    /// The exchange says that it will close the connection soon.
    case serverShutdown
    /// Nothing was added but a rejected input.
    case rejected
  }

  private let urlStream: [UInt8]?
  private var name: [UInt8] = []
  private var elements: [EventOutline] = []
  /// Elements of an array that are no objects.
  private var strangers: [Range<Int>] = []

  /// - Parameter urlStream: the stream that the URL of the connection names, for events that come without
  ///   their stream's name; nil if it names several or none.
  public init(urlStream: String? = nil) {
    self.urlStream = urlStream.map { Array($0.utf8) }
  }

  /// Decodes one message.
  ///
  /// - Parameters:
  ///   - receivedAt: microseconds since 1970, UTC.
  ///   - batch: gets the ticks, in the message's order, byte for byte.
  ///   - rejected: gets what is no tick.
  public mutating func decode(
    _ message: UnsafeBufferPointer<UInt8>, receivedAt: Int64, into batch: inout TickBatch,
    rejected: inout [RejectedInput]
  ) -> Outcome {
    do {
      var scanner = JSONScanner(message)
      switch try scanner.peekKind() {
      case .object:
        let envelope = try walkObject(&scanner, message)
        try scanner.finish()
        return take(envelope, message, receivedAt, &batch, &rejected)
      case .array:
        try walkArray(&scanner, message)
        try scanner.finish()
        return takeElements(message, receivedAt, &batch, &rejected)
      case .string, .number, .literal:
        _ = try scanner.skipValue()
        try scanner.finish()
        return reject("the message is neither an object nor an array", message[...], &rejected)
      }
    } catch {
      return reject(error.description, message[...], &rejected)
    }
  }

  // MARK: Walking

  /// The outermost object: at once an event and what may wrap one.
  private struct Envelope {
    var own: EventOutline
    var stream: JSONValue?
    var hasStream = false
    var data = Data.absent
    var answer = AnswerOutline()

    enum Data {
      case absent
      case event(EventOutline)
      case elements, other
    }
  }

  private mutating func walkObject(
    _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) -> Envelope {
    var envelope = Envelope(own: EventOutline(start: scanner.position))
    var object = try scanner.enterObject()
    while let key = try scanner.nextKey(&object) {
      if let short = scanner.singleByteName(key) {
        try envelope.own.take(key: short, from: &scanner, bytes)
      } else if bytes.isEqual(key, to: "stream") || bytes.isEqual(key, to: "stream_type") {
        let value = try scanner.skipValue()
        envelope.hasStream = true
        envelope.stream = value.kind == .string ? value : nil
      } else if bytes.isEqual(key, to: "data") {
        envelope.data = try walkData(&scanner, bytes)
      } else {
        envelope.answer.take(key: key, try scanner.skipValue(), bytes)
      }
    }
    envelope.own.range = envelope.own.range.lowerBound..<scanner.position
    return envelope
  }

  private mutating func walkData(
    _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) -> Envelope.Data {
    switch try scanner.peekKind() {
    case .object: return .event(try walkEvent(&scanner, bytes))
    case .array:
      try walkArray(&scanner, bytes)
      return .elements
    case .string, .number, .literal:
      _ = try scanner.skipValue()
      return .other
    }
  }

  private func walkEvent(
    _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) -> EventOutline {
    var event = EventOutline(start: scanner.position)
    var object = try scanner.enterObject()
    while let key = try scanner.nextKey(&object) {
      try event.take(key: scanner.singleByteName(key), from: &scanner, bytes)
    }
    event.range = event.range.lowerBound..<scanner.position
    return event
  }

  private mutating func walkArray(
    _ scanner: inout JSONScanner, _ bytes: UnsafeBufferPointer<UInt8>
  ) throws(JSONError) {
    elements.removeAll(keepingCapacity: true)
    strangers.removeAll()
    var array = try scanner.enterArray()
    while try scanner.nextElement(&array) {
      if try scanner.peekKind() == .object {
        elements.append(try walkEvent(&scanner, bytes))
      } else {
        strangers.append(try scanner.skipValue().range)
      }
    }
  }

  // MARK: Taking

  private mutating func take(
    _ envelope: Envelope, _ bytes: UnsafeBufferPointer<UInt8>, _ receivedAt: Int64,
    _ batch: inout TickBatch, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    name.removeAll(keepingCapacity: true)
    guard envelope.hasStream else {
      if !envelope.own.saysWhatItIs, let answer = envelope.answer.answer(bytes) { return .answer(answer) }
      return takeRaw(envelope.own, bytes, receivedAt, &batch, &rejected)
    }
    switch envelope.data {
    case .absent: return reject("a stream without data", bytes[...], &rejected)
    case .other: return reject("the data is neither an object nor an array", bytes[...], &rejected)
    case .elements: return takeElements(bytes, receivedAt, &batch, &rejected)
    case .event(let event):
      guard let stream = envelope.stream else {
        return reject("the stream's name is not a string", bytes[...], &rejected)
      }
      if stream.hasEscapes {
        guard let text = JSONString.text(UnsafeBufferPointer(rebasing: bytes[stream.contents])) else {
          return reject("the stream's name is not text", bytes[...], &rejected)
        }
        name.append(contentsOf: text)
      } else {
        let plain = UnsafeBufferPointer(rebasing: bytes[stream.contents])
        if plain.isEmpty { return reject("the stream's name is empty", bytes[...], &rejected) }
        append(event, named: plain, bytes, receivedAt, &batch)
        return .ticks(1)
      }
      return appendNamed(event, of: bytes[...], bytes, receivedAt, &batch, &rejected)
    }
  }

  private mutating func takeRaw(
    _ event: EventOutline, _ bytes: UnsafeBufferPointer<UInt8>, _ receivedAt: Int64,
    _ batch: inout TickBatch, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    if event.symbol == nil, let type = event.type, bytes.isEqual(type, to: "serverShutdown") {
      return .serverShutdown
    }
    if let urlStream {
      name.append(contentsOf: urlStream)
    } else if !StreamNaming.append(of: event, in: bytes, to: &name) {
      return reject("neither a stream's name nor an event that says it", bytes[...], &rejected)
    }
    return appendNamed(event, of: bytes[...], bytes, receivedAt, &batch, &rejected)
  }

  private mutating func takeElements(
    _ bytes: UnsafeBufferPointer<UInt8>, _ receivedAt: Int64, _ batch: inout TickBatch,
    _ rejected: inout [RejectedInput]
  ) -> Outcome {
    var count = 0
    for event in elements {
      name.removeAll(keepingCapacity: true)
      guard StreamNaming.append(of: event, in: bytes, to: &name) else {
        _ = reject("an event in an array that does not say its stream", bytes[event.range], &rejected)
        continue
      }
      let outcome = appendNamed(event, of: bytes[event.range], bytes, receivedAt, &batch, &rejected)
      if outcome == .ticks(1) { count += 1 }
    }
    for range in strangers { _ = reject("an element that is not an object", bytes[range], &rejected) }
    return count == 0 && elements.count + strangers.count > 0 ? .rejected : .ticks(count)
  }

  /// Appends under the name in `name`, which was put together or unescaped.
  /// - Parameter input: what is rejected if the name is none.
  private func appendNamed(
    _ event: EventOutline, of input: Slice<UnsafeBufferPointer<UInt8>>, _ bytes: UnsafeBufferPointer<UInt8>,
    _ receivedAt: Int64,
    _ batch: inout TickBatch, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    // Only an escape can bring in a control character, and SQLite's shell would end the name at a NUL.
    guard !name.isEmpty, name.allSatisfy({ $0 >= 0x20 }) else {
      return reject("the stream's name is empty or has control characters", input, &rejected)
    }
    name.withUnsafeBufferPointer { append(event, named: $0, bytes, receivedAt, &batch) }
    return .ticks(1)
  }

  private func append(
    _ event: EventOutline, named stream: UnsafeBufferPointer<UInt8>, _ bytes: UnsafeBufferPointer<UInt8>,
    _ receivedAt: Int64, _ batch: inout TickBatch
  ) {
    batch.append(
      receivedAt: receivedAt, eventTime: event.time, stream: stream,
      payload: UnsafeBufferPointer(rebasing: bytes[event.range]))
  }

  private func reject(
    _ cause: String, _ bytes: Slice<UnsafeBufferPointer<UInt8>>, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    rejected.append(RejectedInput(payload: Array(bytes), cause: cause))
    return .rejected
  }
}
