import Glibc
import WAL

/// The source that a salvage reads from: the log itself, or a mended copy of it where SQLite cannot read it.
struct SalvageSource {
  /// `nil` if SQLite cannot read even the copy.
  private(set) var connection: SQLiteConnection?
  private(set) var notes: [String] = []
  /// Of the file, or what it had by its header if it was cut off, and of what counts of its `-wal`.
  let bytes: Int
  private let path: String
  private let image: String?
  private let frames: WALFrames?

  /// - Parameters:
  ///   - image: where a copy is made if one is needed.
  ///   - template: a new log.
  /// - Throws: `LogError` with `unusablePath`, `notALog` or `newerSchema` if there is nothing to salvage.
  init(path: String, image: String, template: String) throws {
    self.path = path
    guard let file = try RawFile(path) else { throw LogError(.unusablePath, "there is no log at \(path)") }
    let size: Int
    let pages: [UInt8]
    do {
      defer { file.close() }
      size = try file.size()
      pages = try file.read(at: 28, count: 4)
    }
    guard size > 0 else { throw LogError(.notALog, "\(path) is not a log: it is empty") }
    var frames = try WALFrames.read(beside: path)
    var needsImage = false
    if let found = frames {
      let objection = WALWitness.objection(to: path, found, base: try .ofFile(path))
      if let objection {
        needsImage = true
        notes.append(objection.text)
        if case .foreign = objection { frames = nil }
      }
    }
    let isHeaderDamaged = try LogFile.headerDamage(of: path) != nil
    if isHeaderDamaged { needsImage = true }
    self.frames = frames
    let whole =
      !isHeaderDamaged && pages.count == 4 ? Int(pages.uint32(at: 0)) * SQLiteConnection.pageBytes : 0
    bytes = max(size, whole) + (frames?.frames.count ?? 0) * SQLiteConnection.pageBytes
    if !needsImage, let connection = try Self.open(path) {
      self.connection = connection
      self.image = nil
      return
    }
    try PageImage.write(path, frames, to: image)
    self.image = image
    connection = try LogFile.headerDamage(of: image) == nil ? Self.open(image) : nil
    guard connection == nil else { return }
    try PageImage.replaceSchema(in: image, from: template)
    connection = try Self.open(image)
    notes.append(
      connection == nil
        ? "SQLite cannot read the file, not even with a new header: only ticks were looked for"
        : "the file's header or schema was damaged: those of a new log took its place")
  }

  func pages() throws(LogError) -> RawPages {
    if let image { return try RawPages(path: image, wal: nil) }
    return try RawPages(path: path, wal: frames)
  }

  /// Opens a file as a log; `nil` if it cannot be read as one.
  private static func open(_ path: String) throws -> SQLiteConnection? {
    do throws(SQLiteError) {
      let connection = try SQLiteConnection(path: path, access: .readOnly)
      connection.setBusyTimeout(milliseconds: 5_000)
      try connection.setCheckpointOnClose(false)
      // With it SQLite reads also a file that is shorter than its header says.
      try connection.execute(
        "PRAGMA query_only = 1; PRAGMA writable_schema = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -16384"
      )
      for table in TableCopy.all {
        let columns = try table.columns(in: connection).joined(separator: ", ")
        _ = try connection.prepare("SELECT \(columns) FROM \(table.table)")
      }
      _ = try connection.prepare("SELECT \(TickRow.columns) FROM ticks")
      return connection
    } catch {
      guard error.isCorruption || error.isGeneric || error.isCannotOpen else { throw error }
      return nil
    }
  }
}
