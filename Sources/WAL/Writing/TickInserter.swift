/// Inserts ticks with their checksums, without copying their texts.
struct TickInserter {
  private let connection: SQLiteConnection

  init(_ connection: SQLiteConnection) {
    self.connection = connection
  }

  /// - Returns: the offset of the last tick inserted.
  func insert(_ batch: TickBatch, after head: Offset) throws(SQLiteError) -> Offset {
    let statement = try connection.tickInsertion()
    var offset = head
    try batch.withTexts { (tick, stream, payload) throws(SQLiteError) in
      offset = offset.next
      try statement.bind(1, offset.rawValue)
      try statement.bind(2, tick.receivedAt)
      if let eventTime = tick.eventTime {
        try statement.bind(3, eventTime)
      } else {
        try statement.bindNull(3)
      }
      try statement.bindUncopied(4, stream)
      try statement.bindUncopied(5, payload)
      let checksum = Checksum.row(
        offset: offset, receivedAt: tick.receivedAt, eventTime: tick.eventTime, stream: stream,
        payload: payload)
      try statement.bind(6, Int64(checksum))
      try statement.finish()
    }
    return offset
  }
}

extension TickBatch {
  /// Visits every tick with its texts, in order; the pointers are valid during the call alone.
  package func withTexts<Failure: Error>(
    _ visit: (Entry, _ stream: UnsafeRawBufferPointer, _ payload: UnsafeRawBufferPointer) throws(Failure) ->
      Void
  ) throws(Failure) {
    try bytes.withUnsafeBufferPointer { (buffer) throws(Failure) in
      let all = UnsafeRawBufferPointer(buffer)
      for entry in entries {
        try visit(
          entry, UnsafeRawBufferPointer(rebasing: all[entry.stream]),
          UnsafeRawBufferPointer(rebasing: all[entry.payload]))
      }
    }
  }
}
