/// Inserts ticks with their checksums, without copying their texts.
struct TickInserter {
  private let connection: SQLiteConnection

  init(_ connection: SQLiteConnection) {
    self.connection = connection
  }

  /// - Returns: the offset of the last tick inserted.
  func insert(_ batch: TickBatch, after head: Offset) throws(SQLiteError) -> Offset {
    var offset = head
    var left = batch.count
    var statement: SQLiteStatement?
    var (rows, row): (Int, Int32) = (0, 0)
    try batch.withTexts { (tick, stream, payload) throws(SQLiteError) in
      if row == 0 {
        let count = left >= SQLiteConnection.tickGroup ? SQLiteConnection.tickGroup : 1
        if count != rows { (statement, rows) = (try connection.tickInsertion(isGroup: count > 1), count) }
      }
      guard let statement else { return }
      offset = offset.next
      let column = row * 6
      try statement.bind(column + 1, offset.rawValue)
      try statement.bind(column + 2, tick.receivedAt)
      if let eventTime = tick.eventTime {
        try statement.bind(column + 3, eventTime)
      } else {
        try statement.bindNull(column + 3)
      }
      try statement.bindUncopied(column + 4, stream)
      try statement.bindUncopied(column + 5, payload)
      let checksum = Checksum.row(
        offset: offset, receivedAt: tick.receivedAt, eventTime: tick.eventTime, stream: stream,
        payload: payload)
      try statement.bind(column + 6, Int64(checksum))
      (row, left) = (row + 1, left - 1)
      guard row == rows else { return }
      row = 0
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
