import Base
import Glibc

@testable import WAL

extension FuzzTarget {
  /// Streams of gzip: of any bytes, and of what was packed here.
  static let gzip = FuzzTarget("gzip", mutations: 2_000) { input in
    var text: [UInt8] = []
    var inflate = Inflate(joinsStreams: true)
    var rest = input.bytes[...]
    var rounds = 0
    repeat {
      let before = text.count
      guard inflate.add(&rest, to: &text, atMost: 1_000) else { break }
      try hold(text.count - before <= 1_000 + 64 << 10, "\(text.count - before) bytes at once")
      rounds += 1
      try hold(rounds < 1_100 * (input.count + 1), "it does not end")
    } while inflate.isPending || !rest.isEmpty
    var deflate = Deflate(level: 1)
    deflate.add(input)
    deflate.finish()
    var back: [UInt8] = []
    var whole = Inflate(joinsStreams: false)
    let isGood = whole.add(deflate.output[...], to: &back) && whole.isAtEnd
    try hold(isGood && back == input.bytes, "it does not come back")
  }

  /// A page of a damaged log, as a salvage reads it: twice in a row, so that its rows may go on on it.
  static let page = FuzzTarget("page", mutations: 500) { input in
    var page = [UInt8](repeating: 0, count: 4_096)
    page.replaceSubrange(..<min(input.count, page.count), with: input.prefix(page.count))
    for (columns, isTable) in [(6, true), (5, false)] {
      for isEverywhere in [false, true] {
        let leaf = LeafPage(page, reserved: 0, pages: 3) { (number) throws(LogError) in
          number < 4 ? page : nil
        }
        let rows = try leaf.rows(columns: columns, isTable: isTable, everywhere: isEverywhere)
        try hold(rows.count <= page.count / 2, "\(rows.count) rows on a page")
        for row in rows {
          try hold(row.values.count == columns && (row.rowID != nil) == isTable, "another row")
          let size = row.values.reduce(0) { $0 + ($1.bytes?.count ?? 8) }
          try hold(size <= 5 * page.count, "a row of \(size) bytes")
        }
      }
    }
  }

  /// SQLite's WAL, as a salvage reads it.
  static let wal = FuzzTarget("wal", longest: 8_192, mutations: 500) { input in
    let path = temporaryFile
    let file = try FileDescriptor(opening: path + "-wal", O_WRONLY | O_CREAT | O_TRUNC)
    defer { unlink(path + "-wal") }
    try file.writeAll(input.bytes)
    guard let frames = try WALFrames.read(beside: path) else { return }
    try hold((512...65_536).contains(frames.pageSize), "pages of \(frames.pageSize) bytes")
    for frame in frames.frames {
      try hold(frame.page > 0 && frame.position + frames.pageSize <= input.count, "a frame beyond the end")
    }
  }

  private static let temporaryFile = "/dev/shm/tickwal-fuzz-\(getpid())"

  /// What the log says of itself in texts: the lock's note, ages, and columns of JSON.
  static let records = FuzzTarget("records", longest: 1_024, mutations: 2_000) { input in
    let text = input.text
    if let note = HeadHint(line: text) {
      try hold(
        note.head.rawValue >= 0 && HeadHint(line: note.line.dropLast()) == note, "a note does not come back")
    }
    let now = Uptime(boot: "a", microseconds: 1_000_000)
    let marks = AgeMarks(text: text, now: 1_000_000)
    try hold(AgeMarks(text: marks.text, now: 1_000_000) == marks, "marks do not come back")
    try hold(LogClock(stored: text, now: now, wall: 0).time(at: now) >= 0, "a time before the beginning")
    // No name of a stream has a zero byte; SQLite ends texts there.
    let names = text.split { $0 == "\n" || $0 == "\0" }.map(String.init)
    let list = JSONText.array(names)
    let connection = try records(streams: text, detail: text)
    try hold(try connection.elements(ofJSON: list) == names, "a list does not come back")
    for gap in try connection.gaps(from: Gap.ID(rawValue: 1), atMost: 10, bytes: 1 << 20) {
      try hold(
        gap.streams.reduce(0) { $0 + $1.utf8.count } <= 8 * text.utf8.count + 64,
        "names longer than their text")
    }
    _ = try connection.completeness()
    _ = try connection.gapCounts(since: 0)
  }

  /// One thread asks at a time.
  nonisolated(unsafe) private static let database: SQLiteConnection? = {
    do {
      let connection = try SQLiteConnection(path: ":memory:", access: .create)
      try connection.execute(Schema.tables)
      try connection.execute(
        "INSERT INTO gaps(started_at, cause, streams) VALUES (0, 'closed', '[]'), (0, 'closed', '[]')")
      return connection
    } catch {
      return nil
    }
  }()

  private static func records(streams: String, detail: String) throws -> SQLiteConnection {
    guard let database else { throw Broken("no log in memory") }
    try database.run("UPDATE gaps SET streams = ?, detail = ? WHERE id = 1", .text(streams), .text(detail))
    try database.run(
      "UPDATE gaps SET streams = ?, detail = ? WHERE id = 2", .blob(Array(streams.utf8)), .text(nil))
    try database.setMeta(.completeness, streams)
    return database
  }
}
