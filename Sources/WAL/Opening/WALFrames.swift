import Glibc

/// The frames of SQLite's WAL as they lie in the file, each checked by itself: where SQLite stops at the first
/// that is damaged, this goes on behind it.
///
/// Reference: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
package struct WALFrames {
  package struct Frame {
    package let page: UInt32
    /// The position in the file at which the page's bytes begin.
    package let position: Int
  }

  package let pageSize: Int
  /// Whether the header is as it was written; if not, SQLite takes nothing from the file.
  package private(set) var hasHeader = true
  /// The frames up to the last commit that is as it was written, without those that are damaged.
  package private(set) var frames: [Frame] = []
  /// Pages of the file after that commit; 0 without one.
  package private(set) var pageCount = 0
  /// Frames from the first damaged one to the last commit: SQLite would leave them out.
  package private(set) var unreachable = 0
  /// The first damaged frame, counted from 1.
  package private(set) var firstDamaged: Int?
  /// Commits from the first damaged frame on, up to one that is whole. After power loss there can be one: it was
  /// not confirmed.
  package private(set) var commitsFromDamage = 0
  /// The facts by the commits that SQLite can read, and by all that are there.
  package private(set) var reachable = WALWitness()
  package private(set) var all = WALWitness()

  private static let headerLength = 32
  private static let frameHeaderLength = 24

  /// - Returns: `nil` if there is no WAL, or nothing in it.
  package static func read(beside path: String) throws(LogError) -> WALFrames? {
    guard let file = try RawFile(path + "-wal") else { return nil }
    defer { file.close() }
    let header = try file.read(at: 0, count: headerLength)
    let first = try file.read(at: headerLength, count: frameHeaderLength)
    guard header.count == headerLength, first.count == frameHeaderLength else { return nil }
    let form = Form(header) ?? Form(firstFrame: first)
    var frames = WALFrames(pageSize: form.pageSize)
    frames.hasHeader = form.isWhole
    try frames.readAll(file, form)
    return frames
  }

  /// The properties of all frames, as the header states them.
  private struct Form {
    let pageSize: Int
    let isBigEndian: Bool
    let salts: ArraySlice<UInt8>
    let checksum: (UInt32, UInt32)
    let isWhole: Bool

    /// The properties that are left where the header is damaged: nothing to begin the checksums with.
    init(firstFrame: [UInt8]) {
      isBigEndian = false
      pageSize = 4_096
      salts = firstFrame[8..<16]
      checksum = (0, 0)
      isWhole = false
    }

    init?(_ header: [UInt8]) {
      let magic = header.uint32(at: 0)
      guard magic & ~1 == 0x377F_0682, header.uint32(at: 4) == 3_007_000 else { return nil }
      isBigEndian = magic & 1 == 1
      pageSize = Int(header.uint32(at: 8))
      guard (512...65_536).contains(pageSize), pageSize & (pageSize - 1) == 0 else { return nil }
      salts = header[16..<24]
      isWhole = true
      checksum = header.withUnsafeBytes {
        WALFrames.add(UnsafeRawBufferPointer(rebasing: $0[..<24]), to: (0, 0), isBigEndian: magic & 1 == 1)
      }
      guard checksum == (header.uint32(at: 24), header.uint32(at: 28)) else { return nil }
    }
  }

  private init(pageSize: Int) {
    self.pageSize = pageSize
  }

  private mutating func readAll(_ file: RawFile, _ form: Form) throws(LogError) {
    let length = Self.frameHeaderLength + pageSize
    var position = Self.headerLength
    var checksum = form.checksum
    var sinceCommit: [Frame] = []
    var witness = WALWitness()
    var number = 0
    var pendingUnreachable = 0
    var damagedInARow = 0
    var damagedCommits = 0
    while true {
      let frame = try file.read(at: position, count: length)
      guard frame.count == length else { return }
      number += 1
      // Frames of another round of the WAL end this one.
      let isOfRound = frame[8..<16] == form.salts
      let stored = (frame.uint32(at: 16), frame.uint32(at: 20))
      let computed = frame.withUnsafeBytes {
        let sum = Self.add(
          UnsafeRawBufferPointer(rebasing: $0[..<8]), to: checksum, isBigEndian: form.isBigEndian)
        return Self.add(
          UnsafeRawBufferPointer(rebasing: $0[Self.frameHeaderLength...]), to: sum,
          isBigEndian: form.isBigEndian)
      }
      let isGood = isOfRound && computed == stored && frame.uint32(at: 0) > 0
      if !isGood {
        if firstDamaged == nil { firstDamaged = number }
        // The frame behind a damaged one shows whether the round goes on: by its own salts.
        damagedInARow += 1
        if isOfRound, frame.uint32(at: 4) > 0 { damagedCommits += 1 }
        if damagedInARow > Self.patience { return }
      } else {
        damagedInARow = 0
        sinceCommit.append(Frame(page: frame.uint32(at: 0), position: position + Self.frameHeaderLength))
        try witness.note(frame[Self.frameHeaderLength...])
      }
      if firstDamaged != nil { pendingUnreachable += 1 }
      if isGood, frame.uint32(at: 4) > 0 {
        pageCount = Int(frame.uint32(at: 4))
        frames += sinceCommit
        sinceCommit = []
        all = witness
        if firstDamaged == nil { reachable = witness }
        if firstDamaged != nil {
          unreachable = pendingUnreachable
          commitsFromDamage += 1 + damagedCommits
          damagedCommits = 0
        }
      }
      checksum = stored
      position += length
    }
  }

  /// Damaged frames in a row after which the rest is taken for what an earlier round has left.
  private static let patience = 64

  /// Reference: https://www.sqlite.org/fileformat2.html#checksum_algorithm
  private static func add(
    _ bytes: UnsafeRawBufferPointer, to checksum: (UInt32, UInt32), isBigEndian: Bool
  ) -> (UInt32, UInt32) {
    var (first, second) = checksum
    for index in stride(from: 0, to: bytes.count, by: 8) {
      let left = bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)
      let right = bytes.loadUnaligned(fromByteOffset: index + 4, as: UInt32.self)
      first &+= (isBigEndian ? left.bigEndian : left.littleEndian) &+ second
      second &+= (isBigEndian ? right.bigEndian : right.littleEndian) &+ first
    }
    return (first, second)
  }
}

extension [UInt8] {
  /// Big-endian, as SQLite's files have them.
  package func uint32(at index: Int) -> UInt32 {
    self[index..<index + 4].reduce(0) { $0 << 8 | UInt32($1) }
  }
}
