import Base
import Foundation
import TestSupport
import Testing

@testable import Ingest

@Suite struct ImportTests {
  private func gzip(_ count: Int) -> [UInt8] {
    var deflate = Deflate(level: 9)
    let piece = [UInt8](repeating: UInt8(ascii: "0"), count: 1 << 20)
    for _ in 0..<count { piece.withUnsafeBufferPointer { deflate.add($0) } }
    deflate.finish()
    return deflate.output
  }

  @Test func `a file that unpacks to a thousand times its size comes in pieces of a MiB`() async throws {
    try await withTemporaryFolder { folder in try unpack(in: folder) }
  }

  private func unpack(in folder: String) throws {
    let path = folder + "/bomb.gz"
    let packed = gzip(40)
    try Data(packed).write(to: URL(fileURLWithPath: path))
    #expect(packed.count < 64 << 10)
    let source = try ByteSource(path: path)
    var splitter = LineSplitter()
    var total = 0
    var lines: [LineSplitter.Line] = []
    var isLast = false
    while !isLast {
      isLast = try !splitter.fill { buffer in
        let before = buffer.count
        let isMore = try source.read(into: &buffer)
        #expect(buffer.count - before <= 1 << 20 + 64 << 10)
        #expect(buffer.count <= LineSplitter.maximumLine + 2 << 20)
        total += buffer.count - before
        return isMore
      }
      while let line = splitter.next(isLast: isLast) { lines.append(line) }
    }
    #expect(total == 40 << 20 && lines.count == 1)
    guard case .tooLong = lines.first else { return #expect(Bool(false), "the line is not too long") }
  }

  @Test func `one tick among the first hundred lines makes a file one of ticks`() {
    var proof = ImportProof()
    for _ in 1..<100 { #expect(proof.took(bytes: 10, isTick: false) == nil) }
    #expect(proof.ended() == .all)
    #expect(proof.took(bytes: 10, isTick: true) == nil)
    for _ in 0..<1_000 { #expect(proof.took(bytes: 1 << 30, isTick: false) == nil) }
    #expect(proof.ended() == nil)
  }

  @Test func `none among a hundred lines makes it another file, and so does none among 16 MiB`() {
    var proof = ImportProof()
    for _ in 1..<100 { #expect(proof.took(bytes: 10, isTick: false) == nil) }
    #expect(proof.took(bytes: 10, isTick: false) == .lines(100))
    var large = ImportProof()
    #expect(large.took(bytes: ImportProof.bytes, isTick: false) == nil)
    #expect(large.took(bytes: 1, isTick: false) == .lines(2))
    #expect("\(ImportProof.Refusal.lines(2))" == "none of the first 2 lines")
  }

  @Test func `a file without lines is no wrong one, and nobody is asked under force`() {
    #expect(ImportProof().ended() == nil)
    var forced = ImportProof()
    forced.isThere = true
    for _ in 0..<200 { #expect(forced.took(bytes: 1, isTick: false) == nil) }
    #expect(forced.ended() == nil)
  }
}
