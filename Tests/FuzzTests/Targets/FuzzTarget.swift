/// One parser that reads from outside, and what must hold for every input that it is given.
///
/// The same properties run under libFuzzer (`make fuzz`), which looks for inputs by what they reach, and for a few
/// thousand seeded mutations in `make test`. That nothing traps holds by running at all.
package struct FuzzTarget: Sendable {
  /// Also of the folder of its seeds, `Tests/Fuzz/Corpus/<name>`.
  package let name: String
  /// Bytes of an input.
  package let longest: Int
  /// Tests of a run in `make test`; fewer where one takes longer.
  package let mutations: Int
  package let check: @Sendable (UnsafeBufferPointer<UInt8>) throws -> Void

  init(
    _ name: String, longest: Int = 4_096, mutations: Int = 5_000,
    check: @escaping @Sendable (UnsafeBufferPointer<UInt8>) throws -> Void
  ) {
    self.name = name
    self.longest = longest
    self.mutations = mutations
    self.check = check
  }

  package static let all: [FuzzTarget] = [
    .decoder, .handshake, .frames, .numbers, .dates, .urls, .percent, .xml, .answers, .profile, .credentials,
    .streams, .keys,
    .notes, .lines, .gzip, .page, .wal, .records, .control, .settings, .exchange,
  ]
}

/// Gets what became of an input, for another program to look at; set before the first input. One thread asks at a time.
nonisolated(unsafe) package var sampleSeen: (([[UInt8]]) -> Void)?

/// A property that does not hold.
package struct Broken: Error, CustomStringConvertible {
  package let description: String
  init(_ what: String) { description = what }
}

func hold(_ condition: Bool, _ what: @autoclosure () -> String) throws {
  if !condition { throw Broken(what()) }
}

extension UnsafeBufferPointer<UInt8> {
  var bytes: [UInt8] { Array(self) }
  /// What is not UTF-8 is replaced.
  var text: String { String(decoding: self, as: UTF8.self) }
  /// Nil for what is not UTF-8.
  var validText: String? { String(validating: self, as: UTF8.self) }
}

/// Cuts bytes into pieces of sizes that they say themselves, so that an input decides how it arrives.
func pieces(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
  var pieces: [ArraySlice<UInt8>] = []
  var rest = bytes[...]
  while let first = rest.first {
    let size = 1 + Int(first) % 61
    pieces.append(rest.prefix(size))
    rest = rest.dropFirst(size)
  }
  return pieces
}
