import CTestDisk
import Foundation
import Synchronization

/// A folder whose disk can lose power and whose calls can be made to fail, for this process alone.
///
/// The calls themselves are made on a real folder, except for syncs, which only change what the model says is
/// on the disk.
// Safe because `handle` is set once, before the object is handed out, and the rest is behind a lock.
// Breaks if a file in the folder is still open when the object goes away; `withSimulatedDisk` says so.
public final class SimulatedDisk: @unchecked Sendable {
  /// A call as tests see it.
  public struct Call: Sendable, Equatable {
    public enum Kind: Sendable, CaseIterable {
      case open, read, write, truncate, sync, unlink, rename, link, lock, stat, map
    }

    public let kind: Kind
    /// Of its file, within the folder.
    public let name: String
    /// Bytes to be written.
    public let count: Int

    /// Whether it changes what is on the disk.
    public var isChange: Bool {
      switch kind {
      case .write, .truncate, .sync, .unlink, .rename, .link: true
      case .open, .read, .lock, .stat, .map: false
      }
    }
  }

  public enum Answer: Sendable, Equatable {
    case proceed
    case fail(Int32)
    /// Half of the bytes are written.
    case short
  }

  /// Asked before each call, on the thread that makes it. Must not work on the folder, but may ask the disk
  /// what it holds.
  public typealias Before = @Sendable (Call) -> Answer
  public typealias After = @Sendable (Call) -> Void

  fileprivate struct State {
    var model = DiskModel()
    /// Paths and the model's numbers of open files.
    var open: [Int32: (path: String, file: Int?)] = [:]
    var before: Before?
    var after: After?
    var volume: VolumeSize?
  }

  /// The size of the volume, and how much of it others take up.
  fileprivate struct VolumeSize {
    let size: Int
    var taken = 0
  }

  public let folder: String
  private let state = Mutex(State())
  private var handle: OpaquePointer?

  init(folder: String, files: [String: DiskModel.LeftFile]) throws {
    self.folder = folder
    for (name, file) in files {
      let path = folder + "/" + name
      try Data(file.visible).write(to: URL(fileURLWithPath: path))
      state.withLock { $0.model.add(path, file) }
    }
    let handler = ctestdisk_handler(
      context: Unmanaged.passUnretained(self).toOpaque(),
      before: { context, call in
        Unmanaged<SimulatedDisk>.fromOpaque(context!).takeUnretainedValue().before(call!.pointee)
      },
      after: { context, call, result in
        Unmanaged<SimulatedDisk>.fromOpaque(context!).takeUnretainedValue().after(call!.pointee, result)
      })
    handle = ctestdisk_add(folder, handler)
    guard handle != nil else { throw POSIXError(.ENOMEM) }
  }

  deinit {
    if let handle { ctestdisk_remove(handle) }
  }

  /// Shows all further calls to these.
  public func watch(before: Before? = nil, after: After? = nil) {
    state.withLock {
      $0.before = before
      $0.after = after
    }
  }

  // MARK: Its size

  /// Gives the volume a size: what would grow beyond it finds no room. Shared memory does not count.
  public func limit(to size: Int) {
    state.withLock { $0.volume = VolumeSize(size: size) }
  }

  /// Lets others take up all that is there but for so many bytes, or give it back.
  public func fill(leaving bytes: Int) {
    state.withLock { state in
      state.volume?.taken = 0
      let taken = max(0, state.available - bytes)
      state.volume?.taken = taken
    }
  }

  /// Bytes that can still be written, and those that the volume has; no limit without a size.
  public var space: (available: Int, size: Int) {
    state.withLock { ($0.available, $0.volume?.size ?? .max) }
  }

  public var openFiles: [String] {
    state.withLock { state in state.open.values.map { name($0.path) }.sorted() }
  }

  /// The files that are found when the power fails at this moment and comes back, by name. SQLite's shared
  /// memory is none of them.
  public func contents(
    after loss: DiskModel.Loss, using random: inout some RandomNumberGenerator
  ) -> [String: [UInt8]] {
    let model = state.withLock { $0.model }
    return Dictionary(
      uniqueKeysWithValues: model.contents(after: loss, using: &random).map { (name($0.key), $0.value) })
  }

  /// The files as a process that is killed at this moment leaves them, by name.
  public func leftFiles() -> [String: DiskModel.LeftFile] {
    let model = state.withLock { $0.model }
    return Dictionary(uniqueKeysWithValues: model.leftFiles().map { (name($0.key), $0.value) })
  }

  private func name(_ path: String) -> String {
    path.hasPrefix(folder + "/") ? String(path.dropFirst(folder.count + 1)) : path
  }

  // MARK: Calls

  private func before(_ call: ctestdisk_call) -> Int32 {
    guard let shown = describe(call) else { return Int32(CTESTDISK_PROCEED) }
    var answer = state.withLock { $0.before }?(shown) ?? .proceed
    if answer == .proceed, let end = SimulatedDisk.end(of: call) {
      let (descriptor, count) = (call.fd, call.count)
      answer = state.withLock { $0.room(for: descriptor, count: count, to: end) }
    }
    switch answer {
    case .proceed:
      return Int32(call.kind == CTESTDISK_SYNC ? CTESTDISK_PRETEND : CTESTDISK_PROCEED)
    case .short: return Int32(CTESTDISK_SHORT)
    case .fail(let code):
      if call.kind == CTESTDISK_SYNC {
        state.withLock { state in
          if let file = state.open[call.fd]?.file { state.model.forget(file) }
        }
      }
      return code
    }
  }

  /// The size that a file has after a call that may let it grow, at least; `nil` if the call is none.
  private static func end(of call: ctestdisk_call) -> Int? {
    switch call.kind {
    case CTESTDISK_WRITE: call.offset + call.count
    case CTESTDISK_TRUNCATE: call.offset
    default: nil
    }
  }

  private func after(_ call: ctestdisk_call, _ result: Int) {
    let shown = describe(call)
    if let event = Event(call, result) { state.withLock { $0.record(event, folder: folder) } }
    if let shown { state.withLock { $0.after }?(shown) }
  }

  private func describe(_ call: ctestdisk_call) -> Call? {
    guard let kind = SimulatedDisk.kinds[call.kind.rawValue] else { return nil }
    let path = call.path.map { String(cString: $0) } ?? state.withLock { $0.open[call.fd]?.path }
    return Call(kind: kind, name: path.map(name) ?? "", count: call.count)
  }

  private static let kinds: [UInt32: Call.Kind] = [
    CTESTDISK_OPEN.rawValue: .open, CTESTDISK_READ.rawValue: .read, CTESTDISK_WRITE.rawValue: .write,
    CTESTDISK_TRUNCATE.rawValue: .truncate, CTESTDISK_SYNC.rawValue: .sync,
    CTESTDISK_UNLINK.rawValue: .unlink, CTESTDISK_RENAME.rawValue: .rename, CTESTDISK_LINK.rawValue: .link,
    CTESTDISK_LOCK.rawValue: .lock, CTESTDISK_STAT.rawValue: .stat, CTESTDISK_MAP.rawValue: .map,
  ]

  /// What a call that succeeded did.
  fileprivate enum Event: Sendable {
    case opened(Int32, String, isEmptied: Bool)
    case closed(Int32)
    case wrote(Int32, offset: Int, [UInt8])
    case truncated(Int32, size: Int, isGrowing: Bool)
    case synced(Int32)
    case unlinked(String)
    case renamed(String, String)
    case linked(String, String)

    init?(_ call: ctestdisk_call, _ result: Int) {
      let path = call.path.map { String(cString: $0) } ?? ""
      let newPath = call.newPath.map { String(cString: $0) } ?? ""
      switch call.kind {
      case CTESTDISK_OPEN: self = .opened(call.fd, path, isEmptied: call.flags & O_TRUNC != 0)
      case CTESTDISK_CLOSE: self = .closed(call.fd)
      case CTESTDISK_WRITE:
        self = .wrote(
          call.fd, offset: call.offset, Array(UnsafeRawBufferPointer(start: call.bytes, count: result)))
      case CTESTDISK_TRUNCATE: self = .truncated(call.fd, size: call.offset, isGrowing: call.isGrowing)
      case CTESTDISK_SYNC: self = .synced(call.fd)
      case CTESTDISK_UNLINK: self = .unlinked(path)
      case CTESTDISK_RENAME: self = .renamed(path, newPath)
      case CTESTDISK_LINK: self = .linked(path, newPath)
      default: return nil
      }
    }
  }
}

extension SimulatedDisk.State {
  fileprivate static let block = 4_096

  fileprivate var available: Int {
    guard let volume else { return .max }
    return max(0, volume.size - volume.taken - model.usedBlocks(of: Self.block) * Self.block)
  }

  /// What comes of a call that may let its file grow: a write goes as far as there is room.
  ///
  /// - Parameter count: bytes to be written, 0 for a truncate.
  fileprivate func room(for descriptor: Int32, count: Int, to end: Int) -> SimulatedDisk.Answer {
    guard volume != nil, let file = open[descriptor]?.file else { return .proceed }
    let blocks = (model.size(of: file) + Self.block - 1) / Self.block
    func growth(to end: Int) -> Int { max(0, (end + Self.block - 1) / Self.block - blocks) * Self.block }
    let room = available
    if growth(to: end) <= room { return .proceed }
    return count > 1 && growth(to: end - count + count / 2) <= room ? .short : .fail(ENOSPC)
  }

  fileprivate mutating func record(_ event: SimulatedDisk.Event, folder: String) {
    switch event {
    case .opened(let descriptor, let path, let isEmptied):
      // The shared memory of processes, of which a loss of power leaves nothing that counts, has no number.
      let file = path == folder || path.hasSuffix("-shm") ? nil : model.open(path)
      if let file, isEmptied { model.truncate(file, to: 0) }
      open[descriptor] = (path, file)
    case .closed(let descriptor): open[descriptor] = nil
    case .wrote(let descriptor, let offset, let bytes):
      if let file = open[descriptor]?.file { model.write(file, at: offset, bytes) }
    case .truncated(let descriptor, let size, let isGrowing):
      guard let file = open[descriptor]?.file, !isGrowing || model.size(of: file) < size else { return }
      model.truncate(file, to: size)
    case .synced(let descriptor):
      guard let (path, file) = open[descriptor] else { return }
      if let file { model.sync(file) } else if path == folder { model.syncNames() }
    case .unlinked(let path): model.remove(path)
    case .renamed(let path, let newPath): model.rename(path, to: newPath)
    case .linked(let path, let newPath): model.link(path, as: newPath)
    }
  }
}

/// Runs `body` with a simulated disk, whose folder is removed afterwards.
///
/// - Parameter files: what another process has left in the folder, by name.
public func withSimulatedDisk<T>(
  isolation: isolated (any Actor)? = #isolation, files: [String: DiskModel.LeftFile] = [:],
  _ body: (SimulatedDisk) async throws -> T
) async throws -> T {
  try await withTemporaryFolder { folder in
    // As the calls name it.
    let folder = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
    let disk = try SimulatedDisk(folder: folder, files: files)
    let result: Result<T, any Error>
    do {
      result = .success(try await body(disk))
    } catch {
      result = .failure(error)
    }
    disk.watch()
    let open = disk.openFiles
    precondition(open.isEmpty, "still open on the simulated disk: \(open)")
    return try result.get()
  }
}
