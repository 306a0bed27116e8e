import Base
import Glibc
import TestSupport
import Testing

@Suite struct FileLockTests {
  @Test func `one has it exclusively, many share it, and it is had again when it was given up`() async throws
  {
    try await withTemporaryFolder { folder in
      let first = try FileDescriptor(opening: folder + "/f", O_RDWR | O_CREAT)
      let second = try FileDescriptor(opening: folder + "/f", O_RDWR)
      #expect(FileLock.take(.exclusive, of: first.number))
      #expect(!FileLock.take(.exclusive, of: second.number))
      #expect(errno == EWOULDBLOCK)
      #expect(!FileLock.take(.shared, of: second.number))
      FileLock.giveUp(first.number)
      #expect(FileLock.take(.shared, of: second.number))
      #expect(FileLock.take(.shared, of: first.number))
      #expect(!FileLock.take(.exclusive, of: first.number))
    }
  }

  @Test func `it is asked for as often as it may be, with pauses between`() async throws {
    try await withTemporaryFolder { folder in
      let holder = try FileDescriptor(opening: folder + "/f", O_RDWR | O_CREAT)
      let other = try FileDescriptor(opening: folder + "/f", O_RDWR)
      #expect(FileLock.take(.exclusive, of: holder.number))
      var pauses = 0
      #expect(!FileLock.take(.exclusive, of: other.number, tries: 5) { pauses += 1 })
      #expect(pauses == 4)
      #expect(FileLock.take(.exclusive, of: other.number, tries: 5) { FileLock.giveUp(holder.number) })
    }
  }
}
