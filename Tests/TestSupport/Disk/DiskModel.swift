/// What a disk holds, as opposed to what the system shows of it: everything that was done to the files of a
/// folder and not synced since is kept apart, and a loss of power keeps as much of it as chance wants.
///
/// Strict where file systems are: bytes are on the disk after a sync of their file alone, names after a sync
/// of their folder alone; what was not synced may have arrived in any order, names in theirs.
public struct DiskModel {
  enum Change {
    case write(offset: Int, [UInt8])
    case truncate(Int)
  }

  enum NameChange {
    case set(String, Int)
    case remove(String)
    case rename(String, String)
  }

  /// What becomes of what was not synced.
  public enum Loss: Sendable, CaseIterable {
    /// Nothing of it is on the disk.
    case all
    /// Of each change chance says whether it is there.
    case some
    /// As `some`, and of each write for each sector of 512 bytes.
    case torn
    /// All of it is on the disk.
    case none
  }

  /// A file that was left behind: what the system shows of it, and what the disk has.
  public struct LeftFile: Sendable {
    public var visible: [UInt8]
    public var durable: [UInt8]
    /// A name that is not goes with the power; one that was given to the file before may be there again.
    public var isNameDurable: Bool

    public init(visible: [UInt8], durable: [UInt8], isNameDurable: Bool) {
      self.visible = visible
      self.durable = durable
      self.isNameDurable = isNameDurable
    }

    /// As it is found when the power is back.
    public init(durable: [UInt8]) {
      self.init(visible: durable, durable: durable, isNameDurable: true)
    }
  }

  private struct File {
    var durable: [UInt8] = []
    var pending: [Change] = []
  }

  private static let sector = 512

  private var files: [Int: File] = [:]
  /// Names are paths.
  private var names: [String: Int] = [:]
  private var durableNames: [String: Int] = [:]
  private var pendingNames: [NameChange] = []
  private var nextFile = 0

  /// A file that was there before.
  mutating func add(_ path: String, _ left: LeftFile) {
    let file = open(path)
    files[file]?.durable = left.durable
    if left.durable != left.visible {
      files[file]?.pending = [.truncate(left.visible.count), .write(offset: 0, left.visible)]
    }
    if left.isNameDurable {
      durableNames[path] = file
      pendingNames.removeLast()
    }
  }

  /// The files as a process that is killed now leaves them, by path.
  func leftFiles() -> [String: LeftFile] {
    names.mapValues { number in
      let file = files[number] ?? File()
      var visible = file.durable
      for change in file.pending { DiskModel.apply(change, to: &visible) }
      return LeftFile(
        visible: visible, durable: file.durable, isNameDurable: durableNames.values.contains(number))
    }
  }

  /// - Returns: the file's number.
  mutating func open(_ path: String) -> Int {
    if let known = names[path] { return known }
    defer { nextFile += 1 }
    files[nextFile] = File()
    change(.set(path, nextFile))
    return nextFile
  }

  mutating func write(_ file: Int, at offset: Int, _ bytes: [UInt8]) {
    files[file]?.pending.append(.write(offset: offset, bytes))
  }

  mutating func truncate(_ file: Int, to size: Int) {
    files[file]?.pending.append(.truncate(size))
  }

  func size(of file: Int) -> Int {
    guard let file = files[file] else { return 0 }
    return file.pending.reduce(file.durable.count) { size, change in
      switch change {
      case .write(let offset, let bytes): max(size, offset + bytes.count)
      case .truncate(let size): size
      }
    }
  }

  /// The blocks that all files with a name take up.
  func usedBlocks(of bytes: Int) -> Int {
    Set(names.values).reduce(0) { $0 + (size(of: $1) + bytes - 1) / bytes }
  }

  mutating func sync(_ file: Int) {
    guard var synced = files.removeValue(forKey: file) else { return }
    for change in synced.pending { DiskModel.apply(change, to: &synced.durable) }
    synced.pending = []
    files[file] = synced
  }

  /// A sync has failed: the system forgets that the changes were never written, and goes on to show them.
  mutating func forget(_ file: Int) {
    files[file]?.pending = []
  }

  mutating func link(_ path: String, as newPath: String) {
    if let file = names[path] { change(.set(newPath, file)) }
  }

  mutating func remove(_ path: String) { change(.remove(path)) }
  mutating func rename(_ path: String, to newPath: String) { change(.rename(path, newPath)) }

  mutating func syncNames() {
    durableNames = names
    pendingNames = []
  }

  private mutating func change(_ change: NameChange) {
    DiskModel.apply(change, to: &names)
    pendingNames.append(change)
  }

  // MARK: Losing power

  /// The files as they are found when the power is back, by path.
  func contents(
    after loss: Loss, using random: inout some RandomNumberGenerator
  ) -> [String: [UInt8]] {
    var kept = durableNames
    let count =
      switch loss {
      case .all: 0
      case .none: pendingNames.count
      case .some, .torn: Int.random(in: 0...pendingNames.count, using: &random)
      }
    for change in pendingNames.prefix(count) { DiskModel.apply(change, to: &kept) }
    var contents: [String: [UInt8]] = [:]
    for path in kept.keys.sorted() {
      guard let number = kept[path], let file = files[number] else { continue }
      var bytes = file.durable
      for change in file.pending {
        for part in DiskModel.surviving(change, loss, using: &random) { DiskModel.apply(part, to: &bytes) }
      }
      contents[path] = bytes
    }
    return contents
  }

  private static func surviving(
    _ change: Change, _ loss: Loss, using random: inout some RandomNumberGenerator
  ) -> [Change] {
    switch (loss, change) {
    case (.all, _): return []
    case (.none, _): return [change]
    case (.torn, .write(let offset, let bytes)):
      var parts: [Change] = []
      var start = 0
      while start < bytes.count {
        let end = min(bytes.count, ((offset + start) / sector + 1) * sector - offset)
        if Bool.random(using: &random) {
          parts.append(.write(offset: offset + start, Array(bytes[start..<end])))
        }
        start = end
      }
      return parts
    case (.some, _), (.torn, _): return Bool.random(using: &random) ? [change] : []
    }
  }

  private static func apply(_ change: Change, to bytes: inout [UInt8]) {
    switch change {
    case .write(let offset, let new):
      if bytes.count < offset { bytes += [UInt8](repeating: 0, count: offset - bytes.count) }
      let over = min(new.count, bytes.count - offset)
      // Byte by byte, as a debug build replaces a range, takes most of a test's time.
      bytes.withUnsafeMutableBytes { bytes in
        new.withUnsafeBytes {
          UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<offset + over]).copyMemory(
            from: .init(rebasing: $0[..<over]))
        }
      }
      if over < new.count { bytes += new[over...] }
    case .truncate(let size):
      if size <= bytes.count {
        bytes.removeLast(bytes.count - size)
      } else {
        bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
      }
    }
  }

  private static func apply(_ change: NameChange, to names: inout [String: Int]) {
    switch change {
    case .set(let path, let file): names[path] = file
    case .remove(let path): names[path] = nil
    case .rename(let path, let newPath): names[newPath] = names.removeValue(forKey: path)
    }
  }
}
