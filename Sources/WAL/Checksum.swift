import Base

/// The checksum of one row: CRC-32 (zlib's) over its columns, little-endian, lengths before texts.
///
/// The layout: offset (8 bytes), received_at (8), a byte that is 1 if there is an event time and 0 if
/// not, event_time (8, only if there is one), the stream's length (4) and bytes, the payload's length
/// (4) and bytes.
enum Checksum {
  static func row(
    offset: Offset, receivedAt: Int64, eventTime: Int64?, stream: UnsafeRawBufferPointer,
    payload: UnsafeRawBufferPointer
  ) -> UInt32 {
    withUnsafeTemporaryAllocation(byteCount: 33, alignment: 8) { header in
      header.storeBytes(of: offset.rawValue.littleEndian, toByteOffset: 0, as: Int64.self)
      header.storeBytes(of: receivedAt.littleEndian, toByteOffset: 8, as: Int64.self)
      var length = 17
      header[16] = eventTime == nil ? 0 : 1
      if let eventTime {
        header.storeBytes(of: eventTime.littleEndian, toByteOffset: 17, as: Int64.self)
        length += 8
      }
      header.storeBytes(of: UInt32(stream.count).littleEndian, toByteOffset: length, as: UInt32.self)
      length += 4
      var crc = CRC32()
      crc.update(UnsafeRawBufferPointer(rebasing: header[..<length]))
      crc.update(stream)
      header.storeBytes(of: UInt32(payload.count).littleEndian, toByteOffset: 0, as: UInt32.self)
      crc.update(UnsafeRawBufferPointer(rebasing: header[..<4]))
      crc.update(payload)
      return crc.value
    }
  }
}
