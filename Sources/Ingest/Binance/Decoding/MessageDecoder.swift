import Base
import Ticks
import WAL

/// The decoder that turns messages of the exchange into ticks, straight from their bytes.
///
/// Takes combined messages, events alone and arrays of events. A tick needs valid JSON, an object as event and
/// a stream's name; nothing else is asked of it. What is no tick is given back with the reason. Whatever a message
/// holds, what comes of it is bounded: see ``EventArray`` and ``RejectedElements``.
package struct MessageDecoder: Sendable {
  /// The kind of a message, found out by decoding it.
  package enum Outcome: Equatable, Sendable {
    /// Ticks were added, perhaps none (an empty array), perhaps besides rejected elements of an array.
    case ticks(Int)
    /// The answer to a request such as SUBSCRIBE.
    case answer(RequestAnswer)
    /// The exchange says that it will close the connection soon.
    case serverShutdown
    /// Nothing was added but a rejected input.
    case rejected
  }

  /// The stream that delivered the last message, if its events are kept under names of their own
  /// (`!miniTicker@arr`, `!bookTicker`); UTF-8, else empty.
  private(set) var arrayStream: [UInt8] = []
  /// The ids of the last message's event, if its stream was named by the exchange or by the URL: the name that is
  /// made from an event may stand for several streams.
  private(set) var step: IDStep?
  /// Events of the last message that may be ticks and were not taken: they were beyond ``EventArray/mostElements``.
  private(set) var surplus = 0

  private let urlStream: [UInt8]?
  private var name: [UInt8] = []
  private var array = EventArray()

  /// - Parameter urlStream: the stream that the URL of the connection names, for events that come without
  ///   their stream's name; nil if it names several or none.
  package init(urlStream: String? = nil) {
    self.urlStream = urlStream.map { Array($0.utf8) }
  }

  /// Decodes one message.
  ///
  /// - Parameters:
  ///   - receivedAt: microseconds since 1970, UTC.
  ///   - batch: gets the ticks, in the message's order, byte for byte.
  ///   - rejected: gets what is no tick.
  package mutating func decode(
    _ message: UnsafeBufferPointer<UInt8>, receivedAt: Int64, into batch: inout TickBatch,
    rejected: inout [RejectedInput]
  ) -> Outcome {
    arrayStream.removeAll(keepingCapacity: true)
    step = nil
    surplus = 0
    do {
      var scanner = JSONScanner(message)
      switch try scanner.peekKind() {
      case .object:
        let envelope = try Envelope(&scanner, message, array: &array)
        try scanner.finish()
        return take(envelope, message, receivedAt, &batch, &rejected)
      case .array:
        try array.walk(&scanner, message)
        try scanner.finish()
        if let urlStream { arrayStream.append(contentsOf: urlStream) }
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

  // MARK: Taking

  private mutating func take(
    _ envelope: Envelope, _ bytes: UnsafeBufferPointer<UInt8>, _ receivedAt: Int64,
    _ batch: inout TickBatch, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    name.removeAll(keepingCapacity: true)
    if envelope.isShutdown(bytes) { return .serverShutdown }
    guard envelope.hasStream else {
      if !envelope.own.saysWhatItIs, let answer = envelope.answer.answer(bytes) { return .answer(answer) }
      return takeRaw(envelope.own, bytes, receivedAt, &batch, &rejected)
    }
    switch envelope.data {
    case .absent: return reject("a stream without data", bytes[...], &rejected)
    case .other: return reject("the data is neither an object nor an array", bytes[...], &rejected)
    case .elements:
      if let stream = envelope.stream, let text = stream.text(in: bytes) {
        if text.count > StreamNameLimit.bytes, let objection = StreamNameLimit.objection(to: text) {
          return reject(objection, bytes[...], &rejected)
        }
        arrayStream = text
      }
      return takeElements(bytes, receivedAt, &batch, &rejected)
    case .event(let event):
      guard let stream = envelope.stream else {
        return reject("the stream's name is not a string", bytes[...], &rejected)
      }
      return takeCombined(event, of: stream, bytes, receivedAt, &batch, &rejected)
    }
  }

  private mutating func takeCombined(
    _ event: EventOutline, of stream: JSONValue, _ bytes: UnsafeBufferPointer<UInt8>, _ receivedAt: Int64,
    _ batch: inout TickBatch, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    let plain = UnsafeBufferPointer(rebasing: bytes[stream.contents])
    if !stream.hasEscapes {
      if let objection = StreamNameLimit.objection(to: plain) {
        return reject(objection, bytes[...], &rejected)
      }
      guard plain[0] != Self.manySymbols else {
        return take(event, deliveredBy: plain, bytes, receivedAt, &batch, &rejected)
      }
      append(event, named: plain, bytes, receivedAt, &batch)
      step = event.ids.step(of: event.type, on: plain, in: bytes)
      return .ticks(1)
    }
    guard let text = stream.text(in: bytes) else {
      return reject("the stream's name is not text", bytes[...], &rejected)
    }
    return take(event, deliveredBy: text, bytes, receivedAt, &batch, &rejected)
  }

  private mutating func takeRaw(
    _ event: EventOutline, _ bytes: UnsafeBufferPointer<UInt8>, _ receivedAt: Int64,
    _ batch: inout TickBatch, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    if let urlStream { return take(event, deliveredBy: urlStream, bytes, receivedAt, &batch, &rejected) }
    guard StreamNaming.append(of: event, in: bytes, to: &name) else {
      return reject("neither a stream's name nor an event that says it", bytes[...], &rejected)
    }
    return appendNamed(event, bytes, receivedAt, &batch, &rejected)
  }

  /// Takes the event that is the whole of a stream's message.
  private mutating func take(
    _ event: EventOutline, deliveredBy stream: some Collection<UInt8>, _ bytes: UnsafeBufferPointer<UInt8>,
    _ receivedAt: Int64, _ batch: inout TickBatch, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    if let objection = StreamNameLimit.objection(to: stream) {
      return reject(objection, bytes[...], &rejected)
    }
    if stream.first == Self.manySymbols {
      arrayStream.append(contentsOf: stream)
      if !makeName(of: event, in: bytes) { arrayStream.removeAll(keepingCapacity: true) }
      return appendNamed(event, bytes, receivedAt, &batch, &rejected)
    }
    name.append(contentsOf: stream)
    let outcome = appendNamed(event, bytes, receivedAt, &batch, &rejected)
    if outcome == .ticks(1) {
      step = name.withUnsafeBufferPointer { event.ids.step(of: event.type, on: $0, in: bytes) }
    }
    return outcome
  }

  /// The first character of the names of streams with events of many symbols. Their events get the names of the
  /// streams of one symbol, also where a message is no array: under one name two of one moment could be taken
  /// for the same, which an item's key would do.
  private static let manySymbols = UInt8(ascii: "!")

  /// Leaves in `name` what the event says, or else the stream that delivered it.
  /// - Returns: whether the event says it.
  private mutating func makeName(of event: EventOutline, in bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    name.removeAll(keepingCapacity: true)
    if StreamNaming.append(of: event, in: bytes, to: &name) { return true }
    name.removeAll(keepingCapacity: true)
    name.append(contentsOf: arrayStream)
    return false
  }

  private mutating func takeElements(
    _ bytes: UnsafeBufferPointer<UInt8>, _ receivedAt: Int64, _ batch: inout TickBatch,
    _ rejected: inout [RejectedInput]
  ) -> Outcome {
    var count = 0
    var rejects = RejectedElements()
    for event in array.events {
      if !makeName(of: event, in: bytes), arrayStream.isEmpty {
        rejects.add(event.range, "an event in an array that does not say its stream", in: bytes)
      } else if let objection = StreamNameLimit.objection(to: name) {
        rejects.add(event.range, objection, in: bytes)
      } else {
        name.withUnsafeBufferPointer { append(event, named: $0, bytes, receivedAt, &batch) }
        count += 1
      }
    }
    for range in array.strangers { rejects.add(range, "an element that is not an object", in: bytes) }
    rejects.add(array.others)
    rejected += rejects.all(in: bytes)
    surplus = arrayStream.isEmpty ? array.others.named : array.others.objects
    return count == 0 && !array.isEmpty ? .rejected : .ticks(count)
  }

  /// Appends the event of a whole message under the name in `name`, which was put together or unescaped.
  private func appendNamed(
    _ event: EventOutline, _ bytes: UnsafeBufferPointer<UInt8>, _ receivedAt: Int64,
    _ batch: inout TickBatch, _ rejected: inout [RejectedInput]
  ) -> Outcome {
    if let objection = StreamNameLimit.objection(to: name) {
      return reject(objection, bytes[...], &rejected)
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
