import NIOCore

/// A record of what the exchange made and sent, and of what became of connections, for a checker to compare a
/// log with.
///
/// A line is the time in µs UTC, a word, and what belongs to it, separated by spaces:
///
///     1795320000000000 open 3 1024 2        connection 3 is open with 1,024 streams; 2 are open now
///     1795320000000100 streams 3 1100       it has 1,100 now
///     1795320000000200 sent 3,4 btcusdt@trade {"e":"trade",…}
///     1795320000000300 sent - btcusdt@trade {"e":"trade",…}
///     1795320000000310 sent 3,~4 btcusdt@trade {"e":"trade",…}
///     1795320000000350 late 4 1             the oldest message that connection 4 was owed
///     1795320000000400 fault 3 stall
///     1795320000000410 denied 3 4           a SUBSCRIBE request, with code 4; 0: it got no answer
///     1795320000000420 babble 3 binary      something that is no tick
///     1795320000000500 ended 3 1            connection 3 has ended; 1 is open now
///     1795320000000600 refused 503
///
/// `sent` names the connections to whose sockets the whole message was handed, or none. Its time is not later
/// than that. A connection after `~` is owed the message: `late` says when it was handed to its socket, always the
/// oldest ones that it was owed, and so many of them. What it is owed when it ends is lost. A message that belongs
/// to no stream has `-` in the stream's place.
final class Journal {
  private var file: LineFile

  /// Makes the file or empties it. Throws ``ExchangeError`` if that cannot be done.
  init(path: String) throws(ExchangeError) { file = try LineFile(path: path) }

  /// A connection that got a message, or is to get it later.
  struct Receiver {
    var connection: Int
    var isOwed: Bool
  }

  func sent(
    at time: Int64, to receivers: [Receiver], stream: String, payload: ByteBuffer
  ) throws(ExchangeError) {
    file.write(String(time))
    file.write(" sent ")
    if receivers.isEmpty { file.write(UInt8(ascii: "-")) }
    for (place, receiver) in receivers.enumerated() {
      if place > 0 { file.write(UInt8(ascii: ",")) }
      if receiver.isOwed { file.write(UInt8(ascii: "~")) }
      file.write(String(receiver.connection))
    }
    file.write(UInt8(ascii: " "))
    file.write(stream)
    file.write(UInt8(ascii: " "))
    file.write(payload)
    try file.endLine()
  }

  func opened(_ connection: Int, streams: Int, open: Int, at time: Int64) throws(ExchangeError) {
    try line(time, "open \(connection) \(streams) \(open)")
  }

  func subscribed(_ connection: Int, streams: Int, at time: Int64) throws(ExchangeError) {
    try line(time, "streams \(connection) \(streams)")
  }

  func late(_ connection: Int, messages: Int, at time: Int64) throws(ExchangeError) {
    try line(time, "late \(connection) \(messages)")
  }

  /// - Parameter code: 0 if there is no answer at all.
  func denied(_ connection: Int, code: Int, at time: Int64) throws(ExchangeError) {
    try line(time, "denied \(connection) \(code)")
  }

  func babble(_ kind: String, on connection: Int, at time: Int64) throws(ExchangeError) {
    try line(time, "babble \(connection) \(kind)")
  }

  func fault(_ kind: String, on connection: Int, at time: Int64) throws(ExchangeError) {
    try line(time, "fault \(connection) \(kind)")
  }

  func ended(_ connection: Int, open: Int, at time: Int64) throws(ExchangeError) {
    try line(time, "ended \(connection) \(open)")
  }

  func refused(status: Int, at time: Int64) throws(ExchangeError) {
    try line(time, "refused \(status)")
  }

  func flush() throws(ExchangeError) { try file.flush() }

  private func line(_ time: Int64, _ text: String) throws(ExchangeError) {
    file.write("\(time) \(text)")
    try file.endLine()
  }
}
