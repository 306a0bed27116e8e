import AWS
import Base
import Glibc

/// Records as lines of files, one for each day (UTC) on which their ticks were received.
///
/// Another process may write to them as well (`replay` beside `run`): they take turns.
actor RecordFiles: RecordPlace {
  private let executor: ThreadExecutor
  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  private let root: String
  private let turn: FileTurn

  /// - Parameter root: the folder of the files, `DIR/records`.
  init(root: String) throws {
    executor = try ThreadExecutor(named: "local-records")
    self.root = root
    turn = FileTurn(of: root)
  }

  func recordLimit() -> Int { .max }

  func put(_ records: ArraySlice<StreamRecord>) throws -> [RefusedRecord] {
    try LocalFolder.makeFolder(root)
    try turn.take {
      var rest = records
      while let first = rest.first {
        let day = Self.day(first)
        let same = rest.prefix { Self.day($0) == day }
        try append(same, to: "\(root)/\(Timestamp.dashed(microseconds: first.receivedAt).prefix(10)).jsonl")
        rest = rest[same.endIndex...]
      }
    }
    return []
  }

  private static func day(_ record: StreamRecord) -> Int {
    CivilTime.floorDivide(Int(record.receivedAt), 86_400_000_000).quotient
  }

  /// Durable when it returns.
  private func append(_ records: ArraySlice<StreamRecord>, to path: String) throws {
    let file = FileDescriptor(owning: try OwnFile.open(path, O_RDWR | O_CREAT, mode: 0o644), name: path)
    let end = try Self.endOfLines(file)
    // What a process that was killed has left of a line.
    guard ftruncate(file.number, off_t(end)) == 0 else { throw SystemError.last("cutting", path) }
    var lines: [UInt8] = []
    for record in records {
      lines.append(contentsOf: record.data)
      lines.append(UInt8(ascii: "\n"))
    }
    guard lines.withUnsafeBytes({ FileBytes.write($0, to: file.number, at: end) }) else {
      throw SystemError.last("writing", path)
    }
    try file.sync()
    try file.close()
    try Folder.sync(root)
  }

  /// The size up to the last line feed.
  private static func endOfLines(_ file: borrowing FileDescriptor) throws -> Int {
    var info = stat()
    guard fstat(file.number, &info) == 0 else { throw SystemError.last("looking at", file.path) }
    var end = Int(info.st_size)
    var chunk = [UInt8](repeating: 0, count: 64 << 10)
    while end > 0 {
      let start = max(0, end - chunk.count)
      let count = chunk.withUnsafeMutableBytes {
        FileBytes.read(
          file.number, at: start, into: UnsafeMutableRawBufferPointer(rebasing: $0[..<(end - start)]))
      }
      guard count == end - start else { throw SystemError.last("reading", file.path) }
      if let last = chunk[..<count].lastIndex(of: UInt8(ascii: "\n")) { return start + last + 1 }
      end = start
    }
    return 0
  }

  func look(writes: Bool) -> [DoctorFinding] { [FolderLook.finding("records", root, isFolder: true)] }
}
