import Base
import Foundation
import Logging
import TestSupport
import Testing

@testable import tickwal

@Suite struct MessageQueueTests {
  /// Takes one portion, as the thread does.
  private func take(_ queue: inout MessageQueue, isWritten: Bool = true) -> String? {
    guard let bytes = queue.take(notice: { "lost \($0)" }) else { return nil }
    queue.written(isWritten)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func `lines go out in their order and one portion at a time`() {
    var queue = MessageQueue()
    #expect(queue.isIdle && queue.take(notice: { _ in "" }) == nil)
    queue.add("one")
    queue.add("two")
    let first = queue.take(notice: { _ in "" })
    #expect(first == Array("one\ntwo\n".utf8))
    queue.add("three")
    #expect(queue.take(notice: { _ in "" }) == nil, "the first is still being written")
    #expect(!queue.isIdle)
    queue.written(true)
    #expect(take(&queue) == "three\n" && queue.isIdle)
  }

  @Test func `a portion ends with a whole line`() {
    var queue = MessageQueue()
    let lines = (0..<10).map { String(repeating: "\($0)", count: 999) }
    for line in lines { queue.add(line) }
    let portions = (0..<3).compactMap { _ in take(&queue) }
    #expect(portions.map(\.count) == [4_000, 4_000, 2_000])
    #expect(portions.joined() == lines.map { $0 + "\n" }.joined())
    queue.add(String(repeating: "x", count: 9_000))
    #expect(take(&queue)?.count == 9_001, "a long one goes alone")
  }

  @Test func `what does not fit is counted and told in its place`() {
    var queue = MessageQueue(capacity: 10)
    for line in ["12", "34", "56", "too much", "7", "8"] { queue.add(line) }
    #expect(queue.dropped == 3, "once it is full it waits until half is free")
    #expect(take(&queue) == "12\n34\n56\nlost 3\n")
    queue.add("9")
    #expect(take(&queue) == "9\n" && queue.dropped == 3 && queue.isIdle)
  }

  @Test func `what could not be written counts as dropped`() {
    var queue = MessageQueue()
    queue.add("one")
    queue.add("two")
    _ = take(&queue, isWritten: false)
    #expect(queue.dropped == 2 && queue.isIdle)
  }

  @Test func `the progress line is the last and only its newest state is written`() {
    var queue = MessageQueue()
    let clear = MessageQueue.clear
    queue.show("10%")
    queue.show("20%")
    #expect(take(&queue) == "20%")
    queue.add("a line")
    queue.show("30%")
    #expect(take(&queue) == clear + "a line\n30%")
    queue.show("")
    #expect(take(&queue) == clear && queue.isIdle)
    queue.show("40%")
    queue.show("")
    #expect(take(&queue) == nil, "it was never shown")
  }

  // MARK: The thread

  /// A pipe of a page that nobody reads yet.
  private func smallPipe() throws -> Pipe {
    let pipe = Pipe()
    // F_SETPIPE_SZ, which glibc declares only where extensions are asked for.
    try #require(fcntl(pipe.fileHandleForWriting.fileDescriptor, 1_031, 4_096) == 4_096)
    return pipe
  }

  @Test(.timeLimit(.minutes(1)))
  func `a reader that takes nothing holds up nobody and learns what it missed`()
    throws
  {
    let pipe = try smallPipe()
    let console = Console(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    let line = String(repeating: "x", count: 99)
    let count = 2 * MessageQueue.capacity / 100
    for _ in 1...count { console.writeLine(line) }
    console.flush(within: .milliseconds(10))
    let dropped = console.droppedLines
    #expect(dropped > count / 3 && dropped < count)
    let notice = "tickwal: \(Console.notice(dropped))"
    var read = ""
    while !read.hasSuffix(notice + "\n") {
      read += String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
    }
    let lines = read.split(separator: "\n")
    #expect(lines.count == count - dropped + 1 && lines.dropLast().allSatisfy { $0 == line })
    #expect(notice.hasSuffix("messages were dropped while stderr did not take them"))
    console.writeLine("the next")
    #expect(String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self) == "the next\n")
  }

  @Test func `marks of direction and controls do not reach the terminal`() throws {
    let pipe = Pipe()
    let console = Console(descriptor: pipe.fileHandleForWriting.fileDescriptor)
    console.writeLine("a\u{202E}b\u{2066}\u{1B}[2J\u{61C}\u{9B}é")
    console.flush(within: .seconds(20))
    #expect(
      String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
        == #"a\u{202e}b\u{2066}\u{1b}[2J\u{61c}\u{9b}é"# + "\n")
  }

  @Test func `messages are counted by their severity`() {
    let counts = MessageCounts()
    for level in Logger.Level.allCases { counts.add(level) }
    counts.add(.warning)
    #expect(Logger.Level.allCases.map { counts[$0] } == [1, 1, 1, 1, 2, 1, 1])
  }
}
