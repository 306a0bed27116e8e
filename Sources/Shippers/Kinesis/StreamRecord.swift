import Base
import Ticks
import WAL

/// A tick as it is put into a Kinesis stream.
struct StreamRecord: Sendable, Equatable {
  let offset: Offset
  /// Of the tick; microseconds since 1970, UTC.
  let receivedAt: Int64
  /// The partition key: UTF-8.
  let key: [UInt8]
  /// One JSON object: the row of the tick, behind what tells it from all others.
  let data: [UInt8]

  /// - Throws: if the payload is not one JSON object, or the stream has no name.
  init(
    _ batch: TickBatch, _ tick: TickBatch.Entry, at offset: Offset, of logID: LogID
  ) throws(RecordFlaw) {
    self.offset = offset
    receivedAt = tick.receivedAt
    (key, data) = try batch.bytes.withUnsafeBufferPointer { (bytes) throws(RecordFlaw) in
      let stream = UnsafeBufferPointer(rebasing: bytes[tick.stream])
      if stream.isEmpty { throw RecordFlaw("its stream has no name, and a partition key must not be empty") }
      do throws(JSONError) {
        let event = try TickEvent(
          stream: stream, payload: UnsafeBufferPointer(rebasing: bytes[tick.payload]),
          receivedAt: tick.receivedAt)
        return (Self.key(of: stream), Self.data(event, at: offset, of: logID))
      } catch {
        throw RecordFlaw("\(error)")
      }
    }
  }

  /// The most that a partition key may have, in UTF-16 units: however characters are counted, it is not above.
  private static let keyCharacters = 256

  /// The stream's name, or its hash where it is too long: of one stream always the same.
  static func key(of stream: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    // A character has a byte at least.
    guard stream.count > keyCharacters,
      String(decoding: stream, as: UTF8.self).utf16.count > keyCharacters
    else { return Array(stream) }
    var hash = SHA256()
    hash.update(UnsafeRawBufferPointer(stream))
    return Array(hash.finish().hex.utf8)
  }

  private static func data(_ event: TickEvent, at offset: Offset, of logID: LogID) -> [UInt8] {
    var data: [UInt8] = []
    data.reserveCapacity(512 + event.payload.count)
    data.append(contentsOf: "{\"log_id\":\"\(logID)\",\"offset\":\(offset),".utf8)
    RowEncoder.appendMembers(event, to: &data)
    data.append(UInt8(ascii: "}"))
    return data
  }
}

/// The reason why a tick can be no record, whatever the state of the Kinesis stream: it becomes a dead letter.
struct RecordFlaw: Error, Equatable, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
