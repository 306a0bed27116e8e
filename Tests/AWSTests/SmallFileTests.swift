import Foundation
import TestSupport
import Testing

@testable import AWS

@Suite(.timeLimit(.minutes(1))) struct SmallFileTests {
  private func problem(_ path: String, _ location: SourceLocation = #_sourceLocation) -> CredentialError? {
    #expect(throws: CredentialError.self, sourceLocation: location) { _ = try SmallFile.read(path) }
  }

  @Test func `what is no regular file is refused by its name and holds nobody up`() async throws {
    try await withTemporaryFolder { folder in
      let fifo = folder + "/config"
      try #require(mkfifo(fifo, 0o600) == 0)
      for path in [fifo, folder, "/dev/zero", "/dev/tty"] {
        #expect(problem(path)?.description.hasPrefix(path) == true)
        #expect(problem(path)?.code == .unreadable)
      }
      #expect(problem(fifo)?.description == "\(fifo): not a regular file, so it is not read")
    }
  }

  @Test func `a file of a mebibyte is read and a larger one is not`() async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/f"
      try Data(count: SmallFile.maximumBytes).write(to: URL(fileURLWithPath: path))
      #expect(try SmallFile.read(path)?.count == SmallFile.maximumBytes)
      try Data(count: SmallFile.maximumBytes + 1).write(to: URL(fileURLWithPath: path))
      #expect(problem(path)?.description.contains("larger than") == true)
    }
  }

  @Test func `no file is none, and the null device is an empty one`() throws {
    #expect(try SmallFile.read("/nowhere/at/all") == nil)
    #expect(try SmallFile.read("/dev/null") == [])
  }
}
