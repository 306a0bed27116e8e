import Foundation
import TestSupport
import Testing

@testable import WAL

@Suite struct LogPlaceTests {
  private func withFiles(_ body: (_ path: String, LogPlace) throws -> Void) async throws {
    try await withTemporaryFolder { folder in
      let path = folder + "/ticks.db"
      // Held open, as SQLite does it: else a new file might be given the number of one that is gone.
      let open = try ["", "-wal", "-shm"].map { suffix in
        try Data([1]).write(to: URL(fileURLWithPath: path + suffix))
        return try FileHandle(forReadingFrom: URL(fileURLWithPath: path + suffix))
      }
      try body(path, LogPlace(path: path))
      for file in open { try file.close() }
    }
  }

  @Test func `files that keep their names are no loss, whatever is written to them`() async throws {
    try await withFiles { path, place in
      #expect(place.loss() == nil)
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try file.write(contentsOf: Data([2, 3]))
      try file.close()
      #expect(truncate(path + "-wal", 0) == 0)
      #expect(place.loss() == nil && place.foreignSides() == [])
    }
  }

  @Test func `a name that is gone and one that another file has are told apart`() async throws {
    try await withFiles { path, place in
      #expect(rename(path, path + ".away") == 0)
      #expect(place.loss()?.description == "\(path) is gone")
      #expect(place.loss()?.keepsFile == false)
      #expect(unlink(path + "-shm") == 0)
      #expect(place.loss()?.description == "\(path), \(path)-shm are gone")
      try Data([1]).write(to: URL(fileURLWithPath: path))
      #expect(place.loss()?.description == "\(path)-shm is gone, another file lies at \(path)")
      // A link to the file itself is another name for it, and not what SQLite would open beside it.
      #expect(unlink(path) == 0 && symlink(path + ".away", path) == 0)
      #expect(place.loss()?.keepsFile == false)
    }
  }

  @Test func `without its sides the file is kept`() async throws {
    try await withFiles { path, place in
      #expect(unlink(path + "-wal") == 0)
      #expect(place.loss()?.keepsFile == true && place.foreignSides() == [])
      try Data([1]).write(to: URL(fileURLWithPath: path + "-wal"))
      #expect(place.loss()?.keepsFile == true && place.foreignSides() == [path + "-wal"])
    }
  }

  @Test func `what was not there at the opening is not missed`() async throws {
    try await withTemporaryFolder { folder in
      let place = LogPlace(path: folder + "/ticks.db")
      #expect(place.loss() == nil)
      try Data([1]).write(to: URL(fileURLWithPath: folder + "/ticks.db"))
      #expect(place.loss() == nil)
    }
  }
}
