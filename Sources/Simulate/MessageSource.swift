import NIOCore

/// The source of messages: a made-up market, or a recording.
struct MessageSource: ~Copyable {
  private var data: MarketData
  private var recording: Recording?
  private var turn = 0
  private let eventTime: @Sendable () -> Int64

  /// Seed of the made-up prices; 0 for a recording.
  let seed: UInt64
  /// Whether messages come from a recording: it does not run on, or out, while nobody listens.
  let isRecording: Bool

  struct Message {
    /// Nil for a message that belongs to no stream and goes to everybody.
    var stream: Int?
    var event: ByteBuffer
    /// The message as combined connections get it, where it was recorded so.
    var combined: ByteBuffer?
  }

  enum Next {
    case message(Message)
    /// Nobody wants anything now.
    case nothing
    case atEnd
  }

  /// - Parameter eventTime: milliseconds since 1970, UTC.
  ///
  /// Throws ``ExchangeError`` if the recording cannot be opened.
  init(configuration: ExchangeConfiguration, eventTime: @escaping @Sendable () -> Int64) throws(ExchangeError)
  {
    self.eventTime = eventTime
    switch configuration.source {
    case .madeUp(let seed):
      self.seed = seed
      data = MarketData(
        seed: seed, listedSymbols: configuration.listedSymbols, isFutures: configuration.isFutures)
      isRecording = false
    case .recording(let path, let repeats):
      seed = 0
      data = MarketData(seed: 0, listedSymbols: [])
      recording = try Recording(path: path, repeats: repeats)
      isRecording = true
    }
  }

  /// The next message for the streams that are wanted. Made-up ones take turns.
  mutating func next(for book: inout StreamBook, wanted: (Int, StreamBook) -> Bool) throws(ExchangeError)
    -> Next
  {
    if isRecording { return try nextRecorded(for: &book, wanted: wanted) }
    for _ in 0..<book.count {
      turn = (turn + 1) % book.count
      guard let kind = book.kind(of: turn), wanted(turn, book) else { continue }
      let time = book.nextEventTime(of: turn, notBefore: eventTime())
      return .message(
        Message(stream: turn, event: data.nextEvent(kind.kind, symbol: kind.symbol, at: time)))
    }
    return .nothing
  }

  private mutating func nextRecorded(
    for book: inout StreamBook, wanted: (Int, StreamBook) -> Bool
  ) throws(ExchangeError) -> Next {
    let present = book
    guard present.hasSubscribers else { return .nothing }
    let message = try recording?.next(wanted: { name in
      present.number(of: name).map { wanted($0, present) } ?? false
    })
    guard let message else { return .atEnd }
    let line = ByteBuffer(bytes: message.line)
    guard let name = message.stream else { return .message(Message(stream: nil, event: line)) }
    let event = line.getSlice(at: message.event.lowerBound, length: message.event.count) ?? line
    return .message(
      Message(stream: book.add(name), event: event, combined: message.isCombined ? line : nil))
  }
}
