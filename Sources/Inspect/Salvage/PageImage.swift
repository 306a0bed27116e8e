import Base
import Glibc
import WAL

/// A copy of a log's file, with everything from its `-wal` that is whole, for SQLite to read where it cannot read the
/// original; and the pages with the schema replaced where they are damaged.
enum PageImage {
  private static let pageSize = SQLiteConnection.pageBytes

  /// - Parameter frames: what of the `-wal` is to be in it.
  static func write(_ path: String, _ frames: WALFrames?, to image: String) throws(LogError) {
    guard let file = try RawFile(path) else { throw LogError.unusable(path, ENOENT) }
    defer { file.close() }
    let descriptor = open(image, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw LogError.unusable(image, errno) }
    defer { close(descriptor) }
    var position = 0
    while true {
      let bytes = try file.read(at: position, count: 1 << 20)
      if bytes.isEmpty { break }
      try write(bytes, at: position, descriptor, image)
      position += bytes.count
    }
    if let frames, let wal = try RawFile(path + "-wal") {
      defer { wal.close() }
      for frame in frames.frames {
        let page = try wal.read(at: frame.position, count: frames.pageSize)
        try write(page, at: (Int(frame.page) - 1) * frames.pageSize, descriptor, image)
        position = max(position, Int(frame.page) * frames.pageSize)
      }
    }
    try settle(descriptor, image, pages: (position + pageSize - 1) / pageSize)
  }

  /// Puts a new log's header and schema in the place of those that are there. The roots of the tables are on the
  /// same pages in every log; where the schema does not fit on the first page, the rest of it goes behind the end,
  /// because in a log that was migrated, ticks may lie where a new one has it.
  static func replaceSchema(in image: String, from template: String) throws(LogError) {
    guard let file = try RawFile(template) else { throw LogError.unusable(template, ENOENT) }
    defer { file.close() }
    let descriptor = open(image, O_RDWR | O_CLOEXEC)
    guard descriptor >= 0 else { throw LogError.unusable(image, errno) }
    defer { close(descriptor) }
    var first = try file.read(at: 0, count: pageSize)
    var pages = (Int(lseek(descriptor, 0, SEEK_END)) + pageSize - 1) / pageSize
    for position in children(of: first) {
      let number = Int(first.uint32(at: position))
      let page = try file.read(at: (number - 1) * pageSize, count: pageSize)
      pages += pages + 1 == lockPage ? 2 : 1
      try write(page, at: (pages - 1) * pageSize, descriptor, image)
      first.replaceSubrange(position..<position + 4, with: bigEndian(pages))
    }
    try write(first, at: 0, descriptor, image)
    try settle(descriptor, image, pages: pages)
  }

  /// The page that SQLite never uses, because it locks bytes of it.
  private static let lockPage = (1 << 30) / pageSize + 1

  /// The places on the first page of the numbers of the schema's leaves; none where it fits on that page.
  private static func children(of first: [UInt8]) -> [Int] {
    guard first[100] == 0x05 else { return [] }
    let count = Int(first[103]) << 8 | Int(first[104])
    return [108]
      + (0..<count).map { index in
        let pointer = 112 + 2 * index
        return Int(first[pointer]) << 8 | Int(first[pointer + 1])
      }
  }

  private static func bigEndian(_ number: Int) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
  }

  /// Makes the header fit: no `-wal`, so many pages, none of them free.
  private static func settle(_ descriptor: Int32, _ image: String, pages: Int) throws(LogError) {
    guard ftruncate(descriptor, off_t(pages * pageSize)) == 0 else { throw LogError.unusable(image, errno) }
    try write([1, 1], at: 18, descriptor, image)
    try write(bigEndian(pages) + [0, 0, 0, 0, 0, 0, 0, 0], at: 28, descriptor, image)
    // That the count is valid is said by these two being the same.
    try write([0, 0, 0, 1], at: 24, descriptor, image)
    try write([0, 0, 0, 1], at: 92, descriptor, image)
  }

  private static func write(
    _ bytes: [UInt8], at position: Int, _ descriptor: Int32, _ image: String
  ) throws(LogError) {
    guard bytes.withUnsafeBytes({ FileBytes.write($0, to: descriptor, at: position) }) else {
      throw LogError.unusable(image, errno)
    }
  }
}
