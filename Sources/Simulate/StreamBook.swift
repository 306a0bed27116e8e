import NIOCore

/// Every stream that was ever asked for, by number, and who has subscribed to it now.
struct StreamBook {
  private struct Stream {
    let name: String
    let kind: (kind: StreamKind, symbol: String)?
    /// `{"stream":"…","data":`
    let opening: ByteBuffer
    var lastEventTime: Int64 = 0
    var subscribers: [ClientConnection] = []

    init(name: String) {
      self.name = name
      kind = StreamKind.parse(name)
      opening = ByteBuffer(string: "{\"stream\":\"\(name)\",\"data\":")
    }
  }

  private var streams: [Stream] = []
  private var numbers: [String: Int] = [:]

  var count: Int { streams.count }

  var hasSubscribers: Bool { streams.contains { !$0.subscribers.isEmpty } }

  func number(of name: String) -> Int? { numbers[name] }

  func name(of number: Int) -> String { streams[number].name }

  /// Nil for a stream that the exchange knows nothing of.
  func kind(of number: Int) -> (kind: StreamKind, symbol: String)? { streams[number].kind }

  func subscribers(of number: Int) -> [ClientConnection] { streams[number].subscribers }

  /// The event as combined connections get it.
  func wrapped(_ event: ByteBuffer, on number: Int) -> ByteBuffer {
    var message = streams[number].opening
    message.writeImmutableBuffer(event)
    message.writeInteger(UInt8(ascii: "}"))
    return message
  }

  /// A time that no event of this stream has had.
  mutating func nextEventTime(of number: Int, notBefore time: Int64) -> Int64 {
    streams[number].lastEventTime = max(time, streams[number].lastEventTime + 1)
    return streams[number].lastEventTime
  }

  /// The stream's number, given out now if it has none.
  mutating func add(_ name: String) -> Int {
    if let number = numbers[name] { return number }
    streams.append(Stream(name: name))
    numbers[name] = streams.count - 1
    return streams.count - 1
  }

  mutating func subscribe(_ connection: ClientConnection, to names: [String]) {
    for name in names {
      let number = add(name)
      guard connection.streams.insert(number).inserted else { continue }
      streams[number].subscribers.append(connection)
    }
  }

  mutating func unsubscribe(_ connection: ClientConnection, from names: [String]) {
    for name in names {
      guard let number = numbers[name], connection.streams.remove(number) != nil else { continue }
      streams[number].subscribers.removeAll { $0 === connection }
    }
  }

  mutating func remove(_ connection: ClientConnection) {
    for number in connection.streams { streams[number].subscribers.removeAll { $0 === connection } }
    connection.streams.removeAll()
  }

  func subscriptions(of connection: ClientConnection) -> [String] {
    connection.streams.sorted().map { streams[$0].name }
  }
}
