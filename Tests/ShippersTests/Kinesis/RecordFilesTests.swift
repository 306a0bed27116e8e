import Base
import Foundation
import ShippingFixtures
import TestSupport
import Testing

@testable import Shippers
@testable import WAL

@Suite struct RecordFilesTests {
  private static let day: Int64 = 86_400_000_000

  private func records(_ count: Int, from first: Int = 1, receivedAt: Int64 = someTime) throws
    -> [StreamRecord]
  {
    let batch = ticks(count, from: first, receivedAt: receivedAt)
    return try batch.entries.enumerated().map { index, tick in
      try StreamRecord(
        batch, tick, at: offset(Int64(first + index)), of: LogID(rawValue: "0123456789abcdef"))
    }
  }

  private func lines(_ path: String) throws -> [String] {
    let text = try String(contentsOfFile: path, encoding: .utf8)
    #expect(text.isEmpty || text.hasSuffix("\n"))
    return text.split(separator: "\n").map(String.init)
  }

  @Test func `each day has a file, and each record a line`() async throws {
    try await withTemporaryFolder { folder in
      let files = try RecordFiles(root: folder + "/records")
      let (first, second) = (try records(3), try records(2, from: 4, receivedAt: someTime + Self.day))
      #expect(try await files.put((first + second)[...]) == [])
      #expect(try await files.put(try records(1, from: 6)[...]) == [])
      #expect(
        try lines(folder + "/records/2026-11-21.jsonl")
          == (first + records(1, from: 6)).map { String(decoding: $0.data, as: UTF8.self) })
      #expect(
        try lines(folder + "/records/2026-11-22.jsonl")
          == second.map { String(decoding: $0.data, as: UTF8.self) })
    }
  }

  @Test(arguments: [0, 10, 100_000]) func `what a killed process has left of a line is cut off`(length: Int)
    async throws
  {
    try await withTemporaryFolder { folder in
      let path = folder + "/records/2026-11-21.jsonl"
      let files = try RecordFiles(root: folder + "/records")
      _ = try await files.put(try records(2)[...])
      let whole = try lines(path)
      let file = try #require(FileHandle(forWritingAtPath: path))
      try file.seekToEnd()
      try file.write(contentsOf: Data(repeating: UInt8(ascii: "x"), count: length))
      try file.close()
      _ = try await files.put(try records(1, from: 3)[...])
      #expect(try lines(path) == whole + records(1, from: 3).map { String(decoding: $0.data, as: UTF8.self) })
    }
  }

  @Test func `a link in the file's place is not followed`() async throws {
    try await withTemporaryFolder { folder in
      let other = folder + "/other"
      try Data("mine\n".utf8).write(to: URL(fileURLWithPath: other))
      let files = try RecordFiles(root: folder + "/records")
      try FileManager.default.createDirectory(atPath: folder + "/records", withIntermediateDirectories: true)
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/records/2026-11-21.jsonl", withDestinationPath: other)
      await #expect(throws: OwnFile.Refusal.self) { _ = try await files.put(try records(1)[...]) }
      #expect(try String(contentsOfFile: other, encoding: .utf8) == "mine\n")
    }
  }
}
