import WAL

/// The pages of a log without SQLite: of its file, or the newer ones of its `-wal`.
struct RawPages {
  private let file: RawFile
  private let wal: RawFile?
  private var positions: [UInt32: Int] = [:]
  private(set) var count: Int

  init(path: String, wal frames: WALFrames?) throws(LogError) {
    guard let file = try RawFile(path) else { throw LogError(.unusablePath, "there is no log at \(path)") }
    self.file = file
    wal = frames == nil ? nil : try RawFile(path + "-wal")
    count = try file.size() / SQLiteConnection.pageBytes
    for frame in frames?.frames ?? [] where frames?.pageSize == SQLiteConnection.pageBytes {
      positions[frame.page] = frame.position
      count = max(count, Int(frame.page))
    }
  }

  func close() {
    file.close()
    wal?.close()
  }

  /// A page by its number from 1; `nil` if it is not there whole.
  func page(_ number: UInt32) throws(LogError) -> [UInt8]? {
    guard number >= 1, Int(number) <= count else { return nil }
    let page: [UInt8]
    if let wal, let position = positions[number] {
      page = try wal.read(at: position, count: SQLiteConnection.pageBytes)
    } else {
      page = try file.read(
        at: (Int(number) - 1) * SQLiteConnection.pageBytes, count: SQLiteConnection.pageBytes)
    }
    return page.count == SQLiteConnection.pageBytes ? page : nil
  }
}

/// Finds ticks on pages by what they are: rows whose checksum fits. That works also where nothing leads to the page
/// any more, or its head is damaged.
struct RawTicks {
  let pages: RawPages

  /// Visits the good ticks on one page.
  func visit(page number: UInt32, _ body: (TickRow) throws -> Void) throws {
    guard let page = try pages.page(number) else { return }
    let leaf = LeafPage(page, reserved: 0, pages: pages.count) { (number) throws(LogError) in
      try pages.page(number)
    }
    var found = 0
    if page[0] == LeafPage.table {
      for row in try leaf.rows(columns: 6, isTable: true, everywhere: false) where try visit(row, body) {
        found += 1
      }
      guard found < Int(page[3]) << 8 | Int(page[4]) else { return }
    } else if !page.contains(where: { $0 != 0 }) {
      return
    }
    for row in try leaf.rows(columns: 6, isTable: true, everywhere: true) { _ = try visit(row, body) }
  }

  private func visit(_ row: LeafPage.Row, _ body: (TickRow) throws -> Void) throws -> Bool {
    guard let rowID = row.rowID, rowID >= 1, let receivedAt = row.values[1].int,
      row.values[2].int != nil || row.values[2] == .null, let stream = row.values[3].bytes,
      let payload = row.values[4].bytes, let checksum = row.values[5].int
    else { return false }
    return try stream.withUnsafeBytes { stream in
      try payload.withUnsafeBytes { payload in
        let tick = TickRow(
          offset: Offset(rawValue: rowID), receivedAt: receivedAt, eventTime: row.values[2].int,
          stream: stream,
          payload: payload, checksum: checksum)
        guard tick.isGood else { return false }
        try body(tick)
        return true
      }
    }
  }
}
