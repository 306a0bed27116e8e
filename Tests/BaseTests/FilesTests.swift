import Base
import Glibc
import TestSupport
import Testing

@Suite struct FilesTests {
  @Test func `an error names what was done, to what, and the system's reason`() async throws {
    let error = SystemError(doing: "opening", subject: "/a/b", code: ENOENT)
    #expect("\(error)" == "opening /a/b: No such file or directory")
    #expect(
      "\(SystemError(doing: "starting a thread", subject: "", code: EAGAIN))".hasPrefix("starting a thread: ")
    )
    #expect(SystemError.text(ENOSPC) == "No space left on device")
  }

  @Test func `what is written is read again, whole`() async throws {
    try await withTemporaryFolder { folder in
      let bytes = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
      let file = try FileDescriptor(opening: folder + "/f", O_WRONLY | O_CREAT | O_EXCL)
      try file.writeAll(bytes)
      try file.sync()
      try file.close()
      try Folder.sync(folder)
      #expect(try FileDescriptor(opening: folder + "/f", O_RDONLY).readAll() == bytes)
      let error = #expect(throws: SystemError.self) {
        _ = try FileDescriptor(opening: folder + "/f", O_RDONLY).readAll(limit: bytes.count - 1)
      }
      #expect(error?.code == EFBIG)
    }
  }

  @Test func `a file that cannot be opened is named`() async throws {
    try await withTemporaryFolder { folder in
      let error = #expect(throws: SystemError.self) {
        _ = try FileDescriptor(opening: folder + "/none", O_RDONLY, doing: "looking into")
      }
      #expect(error == SystemError(doing: "looking into", subject: folder + "/none", code: ENOENT))
    }
  }

  /// A pipe takes as much as it holds, and a signal interrupts who waits for room.
  @Test func `short writes and interrupted ones are gone on with`() async throws {
    var ends: [Int32] = [-1, -1]
    try #require(pipe(&ends) == 0)
    let (reading, writing) = (ends[0], ends[1])
    let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in }
    try #require(sigaction(SIGUSR2, &action, nil) == 0)
    let writer = pthread_self()
    let collected = Collected()
    let reader = try DedicatedThread {
      var received: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 10_000)
      while received.count < bytes.count {
        pthread_kill(writer, SIGUSR2)
        let count = chunk.withUnsafeMutableBytes { FileBytes.read(reading, into: $0) }
        guard count > 0 else { break }
        received += chunk[..<count]
      }
      collected.set(received)
    }
    #expect(bytes.withUnsafeBytes { FileBytes.write($0, to: writing) })
    reader.join()
    close(reading)
    close(writing)
    #expect(collected.bytes == bytes)
  }

  @Test func `bytes at a position are written and read there`() async throws {
    try await withTemporaryFolder { folder in
      let file = try FileDescriptor(opening: folder + "/f", O_RDWR | O_CREAT)
      #expect(
        [UInt8](repeating: 1, count: 10).withUnsafeBytes { FileBytes.write($0, to: file.number, at: 5) })
      var buffer = [UInt8](repeating: 9, count: 20)
      let count = buffer.withUnsafeMutableBytes { FileBytes.read(file.number, at: 3, into: $0) }
      #expect(count == 12)
      #expect(buffer[..<12] == [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1])
    }
  }

  @Test func `a file of our own is opened, and nothing else under its name`() async throws {
    try await withTemporaryFolder { folder in
      func refusal(_ name: String, _ kind: OwnFile.Kind = .regular) -> String? {
        OwnFile.objection(to: folder + "/" + name, kind)?.reason
      }
      let descriptor = try OwnFile.open(folder + "/f", O_RDWR | O_CREAT)
      #expect(fcntl(descriptor, F_GETFD) & FD_CLOEXEC != 0)
      close(descriptor)
      #expect(refusal("f") == nil && refusal("none") == nil)
      #expect(refusal("f", .socket) == "it is no socket but a file; move it away")
      #expect(symlink(folder + "/f", folder + "/link") == 0 && mkfifo(folder + "/pipe", 0o600) == 0)
      #expect(symlink(folder + "/none", folder + "/dangling") == 0)
      for name in ["link", "pipe", "dangling", "."] {
        let reason = refusal(name)
        #expect(reason != nil)
        for flags in [O_RDONLY, O_RDWR | O_CREAT, O_WRONLY] {
          do throws(OwnFile.Refusal) {
            close(try OwnFile.open(folder + "/" + name, flags))
            Issue.record("\(name) was opened")
          } catch {
            #expect(error.reason == reason)
          }
        }
      }
      #expect(access(folder + "/none", F_OK) != 0)
      do throws(OwnFile.Refusal) {
        close(try OwnFile.open(folder + "/none", O_RDONLY))
      } catch {
        #expect(error.code == ENOENT)
      }
    }
  }

  @Test func `this user's files and root's are trusted, and root trusts everybody's`() {
    #expect(OwnFile.isTrusted(owner: 7, asking: 7) && OwnFile.isTrusted(owner: 0, asking: 7))
    #expect(!OwnFile.isTrusted(owner: 8, asking: 7) && OwnFile.isTrusted(owner: 8, asking: 0))
  }

  @Test func `sums end at the bounds of their type`() {
    #expect(Int64.max.addingSaturated(1) == .max && Int64.min.addingSaturated(-1) == .min)
    #expect(Int64.min.subtractingSaturated(1) == .min && Int64(0).subtractingSaturated(.min) == .max)
    #expect(Int64(-2).subtractingSaturated(.max) == .min && Int64(3).addingSaturated(4) == 7)
  }

  @Test(arguments: [("/a/b", "/a"), ("/a", "/"), ("a", "."), ("a/b/c", "a/b")])
  func `the folder of a path is found`(path: String, folder: String) {
    #expect(Folder.parent(of: path) == folder)
  }
}

private final class Collected: Sendable {
  private let watch = Watch<[UInt8]>([])
  func set(_ bytes: [UInt8]) { watch.update { $0 = bytes } }
  var bytes: [UInt8] { watch.value }
}
