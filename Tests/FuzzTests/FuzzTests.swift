import Base
import Foundation
import TestSupport
import Testing

/// Every parser that reads from outside, for a few seconds: its seeds as they are, and mutations of them. `make fuzz`
/// looks longer, with a sanitizer.
///
/// One after another: what a trap ends is then the one that was named last.
@Suite(.serialized) struct FuzzTests {
  @Test(arguments: FuzzTarget.all.map(\.name))
  func `no input of a parser traps, and what it gives back is bounded and right`(_ name: String) throws {
    let target = try #require(FuzzTarget.all.first { $0.name == name })
    let seeds = try Self.seeds(of: name)
    #expect(!seeds.isEmpty, "no seeds")
    for seed in seeds { try Self.check(target, seed, "a seed") }
    let seed = SplitMix64.seedForTest("fuzzing \(name)")
    // A trap would lose what is not written yet.
    fflush(nil)
    var mutator = Mutator(seed: seed, seeds: seeds, longest: target.longest)
    for number in 1...target.mutations {
      try Self.check(target, mutator.next(), "input \(number) of seed \(seed)")
    }
  }

  private static func check(_ target: FuzzTarget, _ input: [UInt8], _ origin: String) throws {
    do {
      try input.withUnsafeBufferPointer { try target.check($0) }
    } catch {
      let hex = input.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
      Issue.record("\(target.name), \(origin): \(error); the input in hex: \(hex)")
      throw error
    }
  }

  private static func seeds(of name: String) throws -> [[UInt8]] {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Fuzz/Corpus/\(name)")
    return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map {
      [UInt8](try Data(contentsOf: folder.appendingPathComponent($0)))
    }
  }
}
