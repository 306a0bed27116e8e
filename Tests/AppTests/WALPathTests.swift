import Base
import Foundation
import Testing

@testable import tickwal

@Suite struct WALPathTests {
  @Test(arguments: [("ticks.db", "."), ("./a/ticks.db", "./a"), ("/ticks.db", "/"), ("/a/b", "/a")])
  func `the folder is the part before the last slash`(path: String, folder: String) {
    #expect(WALPath(text: path).folder == folder)
  }

  @Test func `a folder that is missing is named`() throws {
    let error = try #require(throws: BadSettings.self) {
      try WALPath(text: "/nowhere/ticks.db").checkWritable()
    }
    #expect(
      error.lines[0].hasPrefix("WAL_PATH is '/nowhere/ticks.db' (its folder: No such file or directory)"))
    #expect(error.exitCode == .badValue)
  }

  @Test func `a folder in place of the log is refused`() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "walpath-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { #expect(throws: Never.self) { try FileManager.default.removeItem(atPath: folder) } }
    #expect(throws: BadSettings.self) { try WALPath(text: folder).checkWritable() }
    #expect(throws: BadSettings.self) { try WALPath(text: folder).checkReadable() }
    #expect(throws: BadSettings.self) { try WALPath(text: folder + "/none.db").checkReadable() }
    #expect(throws: BadSettings.self) { try WALPath(text: "/dev/null/x.db").checkWritable() }
    #expect(throws: Never.self) { try WALPath(text: folder + "/none.db").checkWritable() }
  }

  @Test func `a log that is looked for in this folder is named with the folder`() {
    let here = FileManager.default.currentDirectoryPath
    let error = #expect(throws: BadSettings.self) { try WALPath(text: "./no-such-log.db").checkReadable() }
    #expect(error?.lines.joined().contains("looked for as \(here)/no-such-log.db") == true)
    let absolute = #expect(throws: BadSettings.self) { try WALPath(text: "/no-such-log.db").checkReadable() }
    #expect(absolute?.lines.joined().contains("looked for") == false)
  }
}
